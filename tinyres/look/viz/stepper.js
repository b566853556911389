"use strict";
// tinyres/look/viz/recorder.py explains the data: arrays, boxes, steps, kinds.
const {arrays, boxes, steps, kinds} = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const slider = byId("slider"), details = byId("details");
const figures = [...document.querySelectorAll("figure")], folds = figures.length > 1;
const dark = matchMedia("(prefers-color-scheme: dark)");
let now = 0, timer = null;

// ---- small parts ----

const SVG = "http://www.w3.org/2000/svg";

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
const element = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
const drawn = (tag, attributes = {}, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

const shapeText = shape => shape.length ? shape.join(" × ") : "a number";

// Few numbers: a table, with the last axis from left to right; a long vector continues in the next line.
function table(a) {
  const last = a.shape.at(-1) ?? 1, columns = a.shape.length === 1 ? Math.min(last, 8) : last;
  const perMatrix = a.shape.length > 1 ? a.shape[a.shape.length - 2] : 1;
  const made = element("table");
  for (let i = 0; i < a.values.length; i += columns) {
    const gap = i > 0 && (i / columns) % perMatrix === 0 ? "gap" : a.values.length === 1 ? "alone" : "";
    made.append(element("tr", {}, ...a.values.slice(i, i + columns).map(v => element("td", {class: gap}, v))));
  }
  return made;
}

// Red above zero, blue below, zero like the background; NaN and infinity are green.
function colour(level) {
  if (level === 0) return [0, 160, 80];
  const t = Math.min(1, Math.abs(level - 128) / 127), zero = dark.matches ? [28, 34, 40] : [255, 255, 255];
  const far = level >= 128 ? (dark.matches ? [255, 110, 90] : [178, 24, 43]) : (dark.matches ? [92, 168, 255] : [33, 92, 172]);
  return zero.map((c, k) => Math.round(c + (far[k] - c) * t));
}

let palette;  // of the current colour scheme

function mixColours() {
  const all = Array.from({length: 256}, (_, level) => [...colour(level), 255]);
  palette = new Uint32Array(Uint8Array.from(all.flat()).buffer);
}

function picture(a, name) {
  const p = a.picture, bytes = atob(p.levels);
  const wide = 140 / Math.max(p.width, p.height), zoom = wide < 3 ? wide : Math.floor(wide);
  const canvas = element("canvas", {
    width: p.width, height: p.height, role: "img", class: wide < 3 ? "" : "squares",
    style: `width: ${p.width * zoom}px; height: ${p.height * zoom}px`,
    "aria-label": `picture of ${name}, ${shapeText(a.shape)}: values from ${a.least} to ${a.greatest}, mean ${a.mean}`,
  });
  const context = canvas.getContext("2d"), image = context.createImageData(p.width, p.height);
  const pixels = new Uint32Array(image.data.buffer);  // one pixel at a time: four times as fast as byte by byte
  for (let i = 0; i < bytes.length; i++) pixels[i] = palette[bytes.charCodeAt(i)];
  context.putImageData(image, 0, 0);
  return canvas;
}

// Below the bars: the colours of these values in the picture, and the place of zero.
function histogram(a, name) {
  const most = Math.max(...a.bins), least = Number(a.least), greatest = Number(a.greatest), scale = Number(a.picture.scale);
  const drawing = drawn("svg", {viewBox: "0 0 168 96", width: 168, height: 96, role: "img",
    "aria-label": `histogram of ${name}, from ${a.least} to ${a.greatest}: ${a.bins.join(", ")}`});
  a.bins.forEach((count, k) => {
    const height = count ? Math.max(1, 62 * count / most) : 0;
    const value = least + (k + .5) * (greatest - least) / a.bins.length;
    const level = 128 + 127 * Math.max(-1, Math.min(1, value / (scale || 1)));
    drawing.append(drawn("rect", {x: 7 * k, y: 64 - height, width: 6, height, fill: "var(--soft)"}));
    drawing.append(drawn("rect", {x: 7 * k, y: 67, width: 7, height: 7, fill: `rgb(${colour(level)})`}));
  });
  drawing.append(drawn("rect", {x: .5, y: 67, width: 167, height: 7, fill: "none", stroke: "var(--line)"}));
  if (least < 0 && greatest > 0) {
    const x = -168 * least / (greatest - least);
    drawing.append(drawn("path", {d: `M${x} 64v13`, stroke: "var(--ink)", "stroke-width": 1.5}));
    const free = [a.least, a.greatest].map(text => 6.5 * text.length + 7);  // pixels that the two labels take
    if (x > free[0] && x < 168 - free[1]) drawing.append(drawn("text", {x, y: 90, "text-anchor": "middle", "font-size": 11, fill: "var(--soft)"}, "0"));
  }
  drawing.append(drawn("text", {x: 0, y: 90, "font-size": 11, fill: "currentColor"}, a.least));
  drawing.append(drawn("text", {x: 168, y: 90, "text-anchor": "end", "font-size": 11, fill: "currentColor"}, a.greatest));
  return drawing;
}

function tilesText(a) {
  const p = a.picture, all = a.shape.slice(-4, -2);
  if (a.shape.length < 3) return "";
  const tiles = a.shape.length === 3 ? [p.channels] : [p.images, p.channels];
  return tiles.every((n, k) => n === all[k]) && a.shape.length < 5 ? "" : `shown: ${tiles.join(" × ")} of ${all.join(" × ")}`;
}

// One array: its name, its role if it has one (identity, branch), and its source or target.
function card(name, index, sort, role = "", ...remark) {
  const a = arrays[index], made = element("div", {class: `array ${role || sort}`}, element("b", {}, name));
  if (role) made.append(" ", element("span", {class: `role ${role}`}, role));
  if (remark.length) made.append(element("small", {}, ...remark));
  const shape = a.shape.length ? `${shapeText(a.shape)} ${a.dtype}` : a.dtype;
  const size = a.size === undefined ? "" : `norm ${a.size}`;
  if (a.values) {
    made.append(table(a), element("small", {}, [shape, size].filter(Boolean).join(" · ")));
  } else if (a.picture) {
    const bad = a["not finite"] ? `, ${a["not finite"]} not finite` : "";
    made.append(element("small", {}, shape));
    made.append(element("div", {class: "pictures"}, picture(a, name), histogram(a, name)));
    made.append(element("small", {}, `mean ${a.mean} · ${size}${bad}`));
    if (tilesText(a)) made.append(element("small", {}, tilesText(a)));
  } else {
    made.append(element("small", {}, `${shape}: no finite number in it`));
  }
  return made;
}

const row = (...cards) => element("div", {class: "arrays"}, ...cards);
const flow = (...parts) => element("div", {class: "flow"}, ...parts.map(([text, ...cards]) => element("div", {}, heading(text), row(...cards))));
const heading = (...text) => element("h3", {}, ...text);

const PYTHON = /(#.*|"""[^]*?""")|\b(def|return|if|else|elif|for|in|not|and|or|is|None|True|False|with|while)\b/g;

function source(part) {
  const made = element("pre", {tabindex: 0});
  part.text.trimEnd().split("\n").forEach((line, k) => {
    if (k) made.append("\n");
    made.append(element("span", {class: "no", "aria-hidden": "true"}, String(part.line + k)));
    let end = 0;
    for (const found of line.matchAll(PYTHON)) {
      made.append(line.slice(end, found.index), element("span", {class: found[1] ? "said" : "word"}, found[0]));
      end = found.index + found[0].length;
    }
    made.append(line.slice(end));
  });
  return made;
}

const opened = new Set();  // what stays open from one step to the next

function foldable(sort, title, ...inside) {
  const made = element("details", opened.has(sort) ? {open: ""} : {}, element("summary", {}, title), ...inside);
  made.addEventListener("toggle", () => made.open ? opened.add(sort) : opened.delete(sort));
  return made;
}

// A line of the source may have several formulas with wide spaces between them; words in brackets are a remark.
function formula(text) {
  const made = element("div", {class: "formula"});
  for (const part of text.split(/ {3,}|\n/))
    made.append(element("div", part.startsWith("(") || /^(?!g)[a-z_]+: /.test(part) ? {class: "remark"} : {}, part));
  return made;
}

// ---- where a step leads ----

const stepOf = (box, phase) => {
  const all = steps.flatMap((s, k) => s.box === box && s.phase === phase ? [k] : []);
  return phase === "forward" ? all.at(-1) : all.find(k => k > now) ?? all.at(-1);
};

function linkTo(box, phase) {
  const to = boxes[box].kind ? stepOf(box, phase) : undefined;
  if (to === undefined) return boxes[box].label;
  const made = element("button", {class: "link"}, `${boxes[box].label}, step ${to + 1}`);
  made.onclick = () => move(to);
  return made;
}

// For each box: after which step its gradient was which array; own: that step was the box's own.
const brought = boxes.map(() => []);
steps.forEach((step, k) => {
  if (step.phase !== "backward") return;
  const bring = (box, array, own = false) => brought[box].push({at: k, array, own});
  bring(step.box, step.gy, true);
  step.grads.forEach((g, i) => { if (g !== null) bring(boxes[step.box].inputs[i], g); });
  step.sums.forEach(sum => bring(sum.to, sum.total));
});
const gradientAt = (box, k) => brought[box].findLast(({at}) => at <= k)?.array;
const moreComes = (box, k) => brought[box].find(({at}) => at > k)?.own === false;
const computedAt = boxes.map((_, box) => steps.findIndex(s => s.phase === "forward" && s.box === box));

// ---- a step ----

const closes = box => (box.roles || []).some(role => role !== "branch");
const word = role => element("span", {class: role === "branch" ? "branch" : "identity"}, role);

function describe(step) {
  const box = boxes[step.box], kind = kinds[box.kind], forward = step.phase === "forward";
  const roles = box.roles || [], skip = roles.find(role => role !== "branch");
  const where = [box.layer, box.line && element("code", {}, box.line)].filter(Boolean);
  const parts = [
    element("h2", {}, element("span", {class: "phase"}, forward ? "Forward" : "Backward"), ` ${box.kind}`),
    element("p", {class: "where"}, ...where.flatMap((part, k) => k ? [" · ", part] : [part])),
  ];
  const said = forward || !kind.gradients ? kind.formula : kind.gradients;
  parts.push(/[└┘]/.test(said) ? element("div", {class: "formula as-set", tabindex: 0}, said) : formula(said));
  const ins = box.inputs.map((b, i) => card(box.names[i], boxes[b].value, "value", roles[i], "from ", linkTo(b, "forward")));
  if (forward) {
    parts.push(flow(["What goes in", ...ins], ["What comes out", card("y", box.value, "value")]));
    if (closes(box)) parts.push(element("p", {class: "note"}, "A residual connection closes here: ", word("branch"), " and ", word(skip), ", y = F(x) + x",
      skip === "identity" ? "." : ", where the x of the shortcut was brought to F's shape first."));
  } else {
    const out = step.grads.map((g, i) => g === null
      ? element("div", {class: "array"}, element("b", {}, "g" + box.names[i]), element("small", {}, `to ${boxes[box.inputs[i]].label}: not needed`))
      : card("g" + box.names[i], g, "gradient", roles[i], "to ", linkTo(box.inputs[i], "backward")));
    parts.push(flow(["The gradient that comes in, ∂L/∂y", card("gy", step.gy, "gradient")], ["The gradients that go out, to the inputs", ...out]));
    if (closes(box)) parts.push(element("p", {class: "note"}, "An addition passes its gradient on unchanged to both sides: into the ", word("branch"), ", and along the ",
      word(skip), skip === "identity" ? ", where nothing can make it smaller." : "."));
    for (const sum of step.sums) parts.push(...addition(sum));
    const place = kind.backward.file ? element("span", {class: "file"}, `${kind.backward.file}, line ${kind.backward.line}`) : "";
    parts.push(heading("Its backward, written by hand", place), source(kind.backward));
    for (const loops of kind.kernels)
      parts.push(foldable("loops", `${loops.name} as loops: ${loops.file}, line ${loops.line}`, source(loops)));
    parts.push(heading("The values of its forward pass"), row(...ins, card("y", box.value, "value")));
  }
  const page = element("pre", {tabindex: 0}, kind.text);
  return kind.text ? [...parts, foldable("page", `The docstring of ${box.kind}`, page)] : parts;
}

const term = (sign, card) => element("div", {class: "term"}, ...sign ? [element("span", {class: "plus"}, sign)] : [], card);

// Where paths fork in forward, their gradients meet in backward and are added up.
function addition(sum) {
  const cards = [];
  sum.parts.forEach((part, k) => {
    cards.push(term(k ? "+" : "", card(`from ${boxes[part.from].kind}`, part.array, "gradient", part.role, boxes[part.from].layer || "")));
  });
  cards.push(term("=", card("sum", sum.total, "gradient")));
  const made = [heading(`Paths meet: the gradients of ${boxes[sum.to].label} add up`), row(...cards)];
  const roles = sum.parts.map(part => part.role);
  if (roles.includes("identity") && roles.includes("branch"))
    made.push(element("p", {class: "note"}, "∂L/∂x = ∂L/∂y · (1 + ∂F/∂x): the 1 is the part of the ", word("identity"),
      ", and it arrives however small ", word("branch"), "'s ∂F/∂x is."));
  return made;
}

// ---- the graph ----

const keyOf = (box, folded) => folded && boxes[box].block ? `block ${boxes[box].block}` : `v${box}`;
const outputOf = {};  // for a block: the box in it that was computed last
boxes.forEach((box, b) => { if (box.block && box.kind) outputOf[`block ${box.block}`] = b; });
const boxOf = key => key in outputOf ? outputOf[key] : Number(key.slice(1));

for (const figure of figures) {
  const svg = figure.querySelector("svg");
  svg.style.setProperty("--w", `${svg.getAttribute("width")}px`);
  for (const text of figure.querySelectorAll(".shape")) text.dataset.shape = text.textContent;
  for (const group of figure.querySelectorAll(".outside"))  // boxes that read from the block, not boxes it reads from
    if (figure.querySelector(`path[data-to="${group.dataset.key}"]`)) group.dataset.reader = "yes";
  boxes.forEach((box, b) => (box.roles || []).forEach((role, i) => {
    for (const path of figure.querySelectorAll(`path[data-from="v${box.inputs[i]}"][data-to="v${b}"]`)) path.classList.add(role);
  }));
}

// Below a box's name: its gradient once backward has reached it; before that its value, if it is a single number.
function under(b, step) {
  const gradient = step.phase === "backward" ? gradientAt(b, now) : undefined;
  const g = gradient === undefined ? null : arrays[gradient];
  const more = moreComes(b, now) ? " + …" : "";
  if (g) return ["gradient", (g.values?.length === 1 ? `g ${g.values[0]}` : g.size ? `‖g‖ ${g.size}` : "g not finite") + more];
  const value = arrays[boxes[b].value], reached = !boxes[b].kind || computedAt[b] <= now;
  return value.values?.length === 1 && reached ? ["value", value.values[0]] : ["", null];
}

function paint(step) {
  const block = boxes[step.box].block;
  const reached = new Set(), coming = new Set();
  steps.forEach((s, k) => { if (s.phase === step.phase) (k <= now ? reached : coming).add(s.box); });
  for (const figure of figures) {
    const whole = figure.dataset.block === "", folded = whole && folds;
    figure.hidden = !whole && figure.dataset.block !== block;
    figure.classList.toggle("beside", folded && block !== "");
    if (figure.hidden) continue;
    const done = new Set([...reached].map(b => keyOf(b, folded))), ahead = new Set([...coming].map(b => keyOf(b, folded)));
    const current = keyOf(step.box, folded);
    for (const group of figure.querySelectorAll("[data-key]")) {
      const key = group.dataset.key, text = group.querySelector(".shape");
      const [sort, said] = group.dataset.reader ? ["", null] : under(boxOf(key), step);
      group.classList.toggle("now", key === current);
      group.classList.toggle("done", done.has(key));
      group.classList.toggle("to-come", ahead.has(key) && !done.has(key));
      text.setAttribute("class", `shape ${sort}`);
      text.textContent = said ?? text.dataset.shape;
    }
    const sources = new Set(boxes[step.box].inputs.map(b => keyOf(b, folded)));
    for (const path of figure.querySelectorAll("path[data-to]"))
      path.classList.toggle("now", path.dataset.to === current && sources.has(path.dataset.from));
    keepInView(figure, figure.querySelector(".now rect"));
  }
}

function keepInView(figure, box) {
  if (!box) return;
  const outer = figure.getBoundingClientRect(), inner = box.getBoundingClientRect();
  figure.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
  figure.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
}

// ---- moving ----

function go(to) {
  now = Math.max(0, Math.min(steps.length - 1, to));
  const step = steps[now];
  document.body.classList.toggle("backward", step.phase === "backward");
  document.body.classList.remove("show-whole");
  slider.value = now;
  slider.style.setProperty("--done", now / Math.max(1, steps.length - 1));
  const text = `step ${now + 1} of ${steps.length}`;
  const said = `${text}: ${step.phase} ${boxes[step.box].kind}`;
  slider.setAttribute("aria-valuetext", said);
  if (document.activeElement !== slider) byId("said").textContent = said;
  byId("count").textContent = text;
  details.replaceChildren(...describe(step));
  paint(step);
}

function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => now < steps.length - 1 ? go(now + 1) : play(false), 900) : null;
  byId("play").setAttribute("aria-label", on ? "pause" : "play");
  byId("play").setAttribute("aria-pressed", String(on));
}

function move(to) {
  play(false);
  go(to);
}

// To the start of the next or previous box of the folded picture.
function moveByBlock(by) {
  const keyAt = k => steps[k].phase + keyOf(steps[k].box, true);
  let k = now;
  while (steps[k + by] && keyAt(k + by) === keyAt(now)) k += by;
  k += by;
  if (by < 0) while (steps[k] && steps[k - 1] && keyAt(k - 1) === keyAt(k)) k -= 1;
  move(k);
}

function click(event) {
  const group = event.target.closest("[data-key]");
  if (!group) return;
  const folded = group.closest("figure").dataset.block === "" && folds;
  const found = steps.findIndex(s => s.phase === steps[now].phase && keyOf(s.box, folded) === group.dataset.key);
  if (found >= 0) move(found);
}

const keys = {ArrowLeft: () => move(now - 1), ArrowRight: () => move(now + 1), Home: () => move(0),
  End: () => move(steps.length - 1), " ": () => play(timer === null)};
const shifted = {ArrowLeft: () => moveByBlock(-1), ArrowRight: () => moveByBlock(1)};
document.addEventListener("keydown", event => {
  const pressed = (event.shiftKey ? shifted : keys)[event.key];
  const onButton = event.key === " " && event.target.closest("button, summary");
  const scrolls = event.target.closest("pre, .as-set");
  if (!pressed || onButton || scrolls || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  pressed();
});
const turn = steps.findIndex(s => s.phase === "backward");
slider.max = steps.length - 1;
document.body.classList.toggle("folds", folds);
document.body.classList.toggle("one-way", turn < 0);
byId("slider").parentElement.style.setProperty("--split", turn < 0 ? 1 : (turn - .5) / Math.max(1, steps.length - 1));
slider.addEventListener("input", () => move(Number(slider.value)));
byId("first").onclick = keys.Home;
byId("back").onclick = keys.ArrowLeft;
byId("on").onclick = keys.ArrowRight;
byId("last").onclick = keys.End;
byId("play").onclick = keys[" "];
byId("graphs").addEventListener("click", event => {
  if (event.target.closest(".fold")) document.body.classList.toggle("show-whole"), paint(steps[now]);
  else click(event);
});
const measure = () => document.documentElement.style.setProperty("--head", `${document.querySelector("header").offsetHeight}px`);
addEventListener("resize", () => { measure(); paint(steps[now]); });
dark.addEventListener("change", () => { mixColours(); go(now); });
measure();
mixColours();
go(0);
