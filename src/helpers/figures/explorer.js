// What a reader does in the explorer. TOLD comes from explorer.py: the grid, the panels with their layers, the packed values,
// the packed library, Bokeh. FIGURES gives it the figures.
(async () => {
  "use strict";
  const unpacked = (letters) => {
    const bytes = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  };
  const library = document.createElement("script");
  library.textContent = await unpacked(TOLD.library).text();
  document.head.append(library);
  Bokeh.require("core/logging").logger.set_level("warn"); // set_log_level() would itself log
  const NONE = -32768;
  const at = (id) => document.getElementById(`explorer${id}`);
  at("").hidden = false;
  FIGURES();
  const packed = new DataView(await unpacked(TOLD.data).arrayBuffer());
  const value = (layer, index) => {
    const number = packed.getInt16(2 * (layer.begin + index), true);
    return number === NONE ? NaN : number * layer.unit;
  };
  const {rows, columns, north, west, years, block} = TOLD;
  const [up, right] = TOLD.step;
  const panels = TOLD.panels.map((panel) => ({...panel, shown: panel.layers[0]}));
  let chosen = null; // the cell that the keyboard moves and whose years are shown
  let drawing = false;

  const number = (x, digits) => x.toFixed(digits).replace("-", "\u2212");
  const told = (panel, x) => {
    if (Number.isNaN(x)) return "no value";
    if (panel.kind === "classes") return TOLD.classes[Math.round(x)];
    const digits = panel.shown.unit < 1 && Math.abs(x) < 100 ? 1 : 0;
    const sign = (panel.kind === "sign" || panel.kind === "difference") && x > 0 ? "+" : "";
    return `${sign}${number(x, digits)}\u00a0${panel.shown.units}`;
  };
  const place = ([row, column]) => {
    const y = north - row * up, x = west + column * right;
    return `${number(Math.abs(y), 2)}° ${y < 0 ? "S" : "N"}, ${number(Math.abs(x), 2)}° ${x < 0 ? "W" : "E"}`;
  };
  const values = ([row, column]) =>
    panels.map((panel) => [panel.shown.short, told(panel, value(panel.shown, row * columns + column))]);

  // -- the figures: Bokeh has them some moments after it was given them --------------------------------------
  const wait = (ready) =>
    new Promise((done) => {
      const look = () => (ready() ? done(ready()) : setTimeout(look, 10));
      look();
    });
  const wanted = panels.length + (years.length ? 1 : 0);
  const figures = await wait(() => window.Bokeh?.documents[0]?.roots().length >= wanted && Bokeh.documents[0]);
  const {ndarray} = Bokeh.require("core/util/ndarray");
  const cursor = figures.get_model_by_name("cursor");
  const series = figures.get_model_by_name("series");
  const ranges = ["x", "y"].map((name) => figures.get_model_by_name(name));
  const whole = ranges.map((range) => [range.start, range.end]);
  const paint = (i) => {
    const {shown} = panels[i], root = figures.roots()[i];
    const field = Float32Array.from({length: rows * columns}, (_, index) => value(shown, index));
    const image = root.renderers.find((one) => one.data_source.name === "image");
    Object.assign(image.glyph.color_mapper, {low: shown.low, high: shown.high});
    image.data_source.data = {image: [ndarray(field, {shape: [rows, columns], dtype: "float32"})]};
  };

  // -- a cell: under the pointer for a look, chosen by a click or the keyboard ------------------------------------------
  const cell = (x, y) => {
    const row = Math.round((north - y) / up), column = Math.round((x - west) / right);
    return row >= 0 && row < rows && column >= 0 && column < columns ? [row, column] : null;
  };
  const show = (here) => {
    if (!here) return;
    at("-place").textContent = place(here);
    at("-values").replaceChildren(
      ...values(here).map((pair) => {
        const line = document.createElement("div");
        line.append(...["dt", "dd"].map((tag, i) => Object.assign(document.createElement(tag), {textContent: pair[i]})));
        return line;
      }),
    );
    cursor.data = {x: [west + here[1] * right], y: [north - here[0] * up]};
  };
  const yearly = ([row, column]) => {
    const wide = Math.ceil(columns / block), high = Math.ceil(rows / block);
    const index = Math.floor(row / block) * wide + Math.floor(column / block);
    return TOLD.series.map((one) => years.map((_, year) => value(one, year * wide * high + index)));
  };
  const plotYears = () => {
    if (!series) return;
    const lines = yearly(chosen), some = [0, ...lines.flat().filter((x) => !Number.isNaN(x))];
    const none = some.length === 1, room = (Math.max(...some) - Math.min(...some)) / 20 || 1;
    figures.get_model_by_name("series range").setv({start: Math.min(...some) - room, end: Math.max(...some) + room});
    series.data = Object.fromEntries([["year", years], ...TOLD.series.map((one, i) => [one.name, lines[i]])]);
    at("-years").textContent = none ? `${place(chosen)} has no yearly values.` : `Yearly values at ${place(chosen)}`
      + ` [${panels[0].shown.units}]` + (block > 1 ? `, means of ${block} × ${block} cells` : "");
  };
  const say = (text) => { at("-spoken").textContent = text; };
  const spoken = (here) => `${place(here)}: ${values(here).map((pair) => pair.join(" ")).join("; ")}.`;
  const sayYears = () => {
    const parts = yearly(chosen).map((line, i) => {
      const some = line.filter((x) => !Number.isNaN(x));
      return some.length ? `${TOLD.series[i].name} from ${number(Math.min(...some), 0)} to ${number(Math.max(...some), 0)}`
        : `${TOLD.series[i].name} no value`;
    });
    say(`${place(chosen)}, ${years[0]} to ${years.at(-1)}: ${parts.join("; ")} ${panels[0].shown.units}.`);
  };
  const choose = (here) => {
    if (!here) return;
    chosen = here;
    show(here);
    plotYears();
    say(spoken(here));
  };

  const zoom = (factor) => {
    const middle = chosen ? [west + chosen[1] * right, north - chosen[0] * up] : ranges.map((r) => (r.start + r.end) / 2);
    ranges.forEach((range, i) => {
      const half = Math.min(Math.max((factor * (range.end - range.start)) / 2, 4 * right), (whole[i][1] - whole[i][0]) / 2);
      const start = Math.min(Math.max(middle[i] - half, whole[i][0]), whole[i][1] - 2 * half);
      range.setv(factor ? {start, end: start + 2 * half} : {start: whole[i][0], end: whole[i][1]});
    });
  };
  const follow = () => {
    const spot = [west + chosen[1] * right, north - chosen[0] * up];
    if (ranges.some((range, i) => spot[i] < range.start || spot[i] > range.end)) zoom(1);
  };

  window.explorer = {
    point: (x, y) => {
      if (drawing) return;
      drawing = true;
      requestAnimationFrame(() => { drawing = false; show(cell(x, y)); });
    },
    leave: () => requestAnimationFrame(() => show(chosen)),
    choose: (x, y) => {
      choose(cell(x, y));
      at("-cursor").focus({preventScroll: true}); // the arrow keys go on from here
    },
  };
  const moves = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
  const zooms = {"+": 0.5, "=": 0.5, "-": 2, "0": 0};
  at("-cursor").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const move = moves[event.key];
    if (move) {
      const far = event.shiftKey ? 10 : 1, from = chosen ?? [rows >> 1, columns >> 1];
      const within = (x, count) => Math.min(Math.max(x, 0), count - 1);
      choose([within(from[0] + far * move[0], rows), within(from[1] + far * move[1], columns)]);
      follow();
    } else if (event.key === "Enter" && chosen && series) sayYears();
    else if (event.key in zooms) zoom(zooms[event.key]);
    else return;
    event.preventDefault();
  });
  at("").addEventListener("click", (event) => {
    if (event.target.dataset?.zoom) zoom(Number(event.target.dataset.zoom));
  });
  at("").addEventListener("change", (event) => {
    const panel = panels[event.target.dataset?.panel];
    if (!panel) return;
    panel.shown = panel.layers[event.target.selectedIndex];
    paint(Number(event.target.dataset.panel));
    if (chosen) choose(chosen);
  });
  panels.forEach((_, i) => paint(i));
  // It begins at the cell with a value that is nearest to the middle, and says nothing yet.
  const off = (index) => Math.hypot(Math.floor(index / columns) - rows / 2, (index % columns) - columns / 2);
  let nearest = -1;
  for (let index = 0; index < rows * columns; index++)
    if (!Number.isNaN(value(panels[0].shown, index)) && (nearest < 0 || off(index) < off(nearest))) nearest = index;
  choose([Math.floor(nearest / columns), nearest % columns]);
  say("");
  await wait(() => figures.is_idle); // all is drawn
  at("").dataset.ready = performance.now().toFixed(0);
})();
