// Every text of the page that cannot be read: too little contrast with what is behind it, or too small.
() => {
  const CONTRAST = 4.5;  // WCAG 2.2, 1.4.3
  const PIXELS = 9.5;    // the smallest text of a graph that is shown at 0.9 of its size is 9.9

  // "rgb(1, 2, 3)", "rgba(…, .5)" and "color(srgb 0 .5 1)" -> [0 … 255, …, …, 0 … 1]
  function parsed(text) {
    const numbers = text.match(/[\d.]+/g).map(Number);
    const colours = numbers.slice(0, 3).map(c => text.startsWith("color(") ? 255 * c : c);
    return [...colours, numbers[3] ?? 1];
  }
  const over = (top, under) => top.slice(0, 3).map((c, k) => c * top[3] + under[k] * (1 - top[3]));

  function luminance(colour) {
    const [r, g, b] = colour.map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  }
  function contrast(a, b) {
    const [lighter, darker] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (lighter + .05) / (darker + .05);
  }
  function behind(element) {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const box = e.tagName === "g" ? getComputedStyle(e.querySelector("rect")) : null;
      const [r, g, b, a] = parsed(box ? box.fill : getComputedStyle(e).backgroundColor);
      layers.unshift([r, g, b, box ? a * box.fillOpacity : a]);
    }
    return layers.reduce((under, top) => over(top, under), [255, 255, 255]);
  }

  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!own || !e.checkVisibility() || e.closest(".unseen, title, script, noscript")) continue;
    const style = getComputedStyle(e), svg = e.ownerSVGElement, back = behind(e);
    const seen = contrast(over(parsed(svg ? style.fill : style.color), back), back);
    const size = parseFloat(style.fontSize) * (svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1);
    if (seen < CONTRAST || size < PIXELS) bad.push(`${e.textContent.slice(0, 30)}: ${seen.toFixed(2)}, ${size.toFixed(1)}px`);
  }
  return bad;
}
