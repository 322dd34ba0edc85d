// Draws the treemap, moves in it and in the timeline, and finds rows of tables.
// Names come from the image: they are set as text, never as markup.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const byId = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(byId(id).textContent);
  const report = read("data");
  const layouts = read("layout");
  const contents = report.contents;

  // As `words.rs` writes them.
  const bytes = (count) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let value = count, unit = 0;
    while (value >= 999.5 && unit + 1 < units.length) { value /= 1000; unit += 1; }
    return unit === 0 ? `${count} B` : `${value.toFixed(1)} ${units[unit]}`;
  };
  const time = (seconds) => {
    const whole = Math.round(seconds);
    const two = (n) => String(n).padStart(2, "0");
    if (seconds < 0.0995) return `${(seconds * 1000).toFixed(0)} ms`;
    if (whole < 60) return `${seconds.toFixed(1)} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole % 3600 / 60))} min`;
  };
  const number = (n) => n.toLocaleString("en-US");
  const plain = (text) =>
    text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  const hue = (layer) => `--h:${(layer * 150 + 250) % 360};--c:.11`;

  const make = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.append(element);
    return element;
  };

  // ---- The treemap ----------------------------------------------------------------------

  const whole = contents.layers.reduce((sum, layer) => sum + layer.parts_bytes, 0);
  const map = byId("map");
  const detail = byId("map-detail");
  const crumbs = byId("crumbs");
  // Layer and part that fill the map; empty for all.
  let path = [];
  let cells = [];

  const nodeOf = (at) => {
    const layer = contents.layers[at[0]];
    if (at.length === 0) return { name: report.name, size: whole };
    if (at.length === 1) return { name: layer.name, size: layer.parts_bytes, count: layer.parts.length };
    const part = layer.parts[at[1]];
    if (at.length === 2) {
      return { name: `${part.name} ${part.version}`.trim(), size: part.size_bytes, files: part.n_files };
    }
    const file = part.files[at[2]];
    if (file) return { name: file.path, size: file.size_bytes, below: part.directory };
    return { name: `${number(part.n_other_files)} others`, size: part.other_bytes, isOthers: true };
  };

  const childrenOf = (layout, at) => {
    const layer = layout.layers[at[0]];
    if (at.length === 0) return layout.layers.map((child) => child.at);
    if (at.length === 1) return layer.parts.map((child) => child.at);
    if (at.length === 2) return layer.parts[at[1]].files;
    return [];
  };

  const isLeaf = (at) =>
    at.length === 3 || (at.length === 2 && contents.layers[at[0]].parts[at[1]].files.length === 0);

  const describe = (at) => {
    const node = nodeOf(at);
    const words = [plain((node.below || "") + node.name), bytes(node.size)];
    if (at.length > 0 && whole > 0) words.push(`${(node.size / whole * 100).toFixed(1)} % of all`);
    if (node.count !== undefined) {
      words.push(`${number(node.count)} ${contents.parts_are === "blobs" ? "blob" : "package"}${node.count === 1 ? "" : "s"}`);
    }
    if (node.files !== undefined && node.files !== null) {
      words.push(`${number(node.files)} file${node.files === 1 ? "" : "s"}`);
    }
    return words.join(" · ");
  };

  // What fits: the font is not measured, its characters are at most so wide on average.
  const fit = (text, width, size) => {
    const most = Math.floor(width / (size * 0.58));
    if (text.length <= most) return text;
    return most < 4 ? "" : `${text.slice(0, most - 1)}…`;
  };

  const label = (group, node, box) => {
    const name = plain(node.below ? node.name.slice(node.name.lastIndexOf("/") + 1) : node.name);
    const short = fit(name, box.w - 12, 13);
    if (box.h < 18 || short === "") return;
    make("text", { class: "name", x: box.x + 6, y: box.y + 15 }, group).textContent = short;
    const size = bytes(node.size);
    const besides = (short.length + size.length + 3) * 7.5 < box.w;
    if (besides && short === name) {
      make("text", { class: "size", x: box.x + box.w - 6, y: box.y + 15, "text-anchor": "end" }, group).textContent = size;
    } else if (box.h > 36 && fit(size, box.w - 12, 12) === size && node.isPlain) {
      make("text", { class: "size", x: box.x + 6, y: box.y + 31 }, group).textContent = size;
    }
  };

  // What is inside a cell, below its name.
  const inside = (group, layout, at, box) => {
    const inner = { x: box.x + 3, y: box.y + 21, w: box.w - 6, h: box.h - 24 };
    if (inner.w < 24 || inner.h < 14) return false;
    childrenOf(layout, at).forEach(([x, y, w, h], index) => {
      const size = { w: inner.w * w / 1e4, h: inner.h * h / 1e4 };
      if (size.w < 2 || size.h < 2) return;
      const left = inner.x + inner.w * x / 1e4, top = inner.y + inner.h * y / 1e4;
      make("rect", { class: "inner", x: left, y: top, width: size.w, height: size.h }, group);
      const child = nodeOf([...at, index]);
      const short = fit(plain(child.name.slice(child.name.lastIndexOf("/") + 1)), size.w - 8, 11);
      if (size.h > 15 && short) {
        make("text", { class: "tiny", x: left + 4, y: top + 12 }, group).textContent = short;
      }
    });
    return true;
  };

  const draw = (focus) => {
    const width = map.clientWidth;
    const layout = width < 600 ? layouts.tall : layouts.wide;
    const height = Math.round(width * layout.ratio);
    const svg = make("svg", { height, viewBox: `0 0 ${width} ${height}`, class: "in" });
    cells = [];
    childrenOf(layout, path).forEach(([x, y, w, h], index) => {
      const at = [...path, index];
      const node = nodeOf(at);
      const box = { x: width * x / 1e4, y: height * y / 1e4, w: width * w / 1e4, h: height * h / 1e4 };
      if (box.w < 1 || box.h < 1) return;
      const leaf = isLeaf(at);
      const group = make("g", {
        class: `cell${leaf ? " leaf" : ""}${node.isOthers ? " others" : ""}`,
        style: hue(at[0]),
        tabindex: -1,
        role: leaf ? "img" : "button",
        "aria-label": describe(at),
        "data-at": at.join("/"),
        "data-bytes": node.size,
      }, svg);
      make("rect", { x: box.x, y: box.y, width: box.w, height: box.h }, group);
      const hasInside = !leaf && inside(group, layout, at, box);
      label(group, { ...node, isPlain: !hasInside }, box);
      cells.push({ at, box, group });
    });
    map.replaceChildren(svg);
    const first = cells[focus] || cells[0];
    if (first) first.group.setAttribute("tabindex", 0);
    drawCrumbs();
    detail.textContent = describe(path);
    return first;
  };

  const drawCrumbs = () => {
    const items = [];
    for (let depth = 0; depth <= path.length; depth += 1) {
      const at = path.slice(0, depth);
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = depth === 0 ? "All layers" : plain(nodeOf(at).name);
      if (depth === path.length) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => go(at, path[depth]));
      if (depth > 0) {
        const arrow = document.createElement("span");
        arrow.textContent = "›";
        items.push(arrow);
      }
      items.push(button);
    }
    crumbs.replaceChildren(...items);
  };

  // Goes to a layer or a part; the child of this number gets the focus.
  const go = (at, child) => {
    path = at;
    const cell = draw(0);
    const wanted = cells.find((one) => one.at[one.at.length - 1] === child) || cell;
    if (wanted) focusOn(wanted);
  };

  const focusOn = (cell) => {
    for (const other of cells) other.group.setAttribute("tabindex", other === cell ? 0 : -1);
    cell.group.focus({ preventScroll: true });
  };

  const cellOf = (target) => cells.find((cell) => cell.group.contains(target));

  // The nearest cell in a direction: what lies straight ahead counts most.
  const towards = (from, dx, dy) => {
    const middle = (box) => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 });
    const here = middle(from.box);
    let best = null, least = Infinity;
    for (const cell of cells) {
      const there = middle(cell.box);
      const ahead = (there.x - here.x) * dx + (there.y - here.y) * dy;
      const aside = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
      if (cell === from || ahead <= 0.5) continue;
      if (ahead + 2 * aside < least) { least = ahead + 2 * aside; best = cell; }
    }
    return best;
  };

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  map.addEventListener("click", (event) => {
    const cell = cellOf(event.target);
    if (!cell) return;
    if (isLeaf(cell.at)) focusOn(cell); else go(cell.at);
  });
  for (const kind of ["pointerover", "focusin"]) {
    map.addEventListener(kind, (event) => {
      const cell = cellOf(event.target);
      if (cell) detail.textContent = describe(cell.at);
    });
  }
  map.addEventListener("pointerleave", () => {
    const cell = cellOf(document.activeElement);
    detail.textContent = describe(cell ? cell.at : path);
  });
  map.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const cell = cellOf(event.target);
    if (ARROWS[event.key] && cell) {
      const next = towards(cell, ...ARROWS[event.key]);
      if (next) focusOn(next);
    } else if ((event.key === "Enter" || event.key === " ") && cell) {
      if (!isLeaf(cell.at)) go(cell.at);
    } else if ((event.key === "Escape" || event.key === "Backspace") && path.length > 0) {
      go(path.slice(0, -1), path[path.length - 1]);
    } else {
      return;
    }
    event.preventDefault();
  });
  let drawn = 0;
  new ResizeObserver(() => {
    if (Math.abs(map.clientWidth - drawn) < 1) return;
    drawn = map.clientWidth;
    draw(0);
  }).observe(map);
  drawn = map.clientWidth;
  draw(0);

  // ---- The timeline ---------------------------------------------------------------------

  const builds = report.timeline ? report.timeline.builds : [];
  const lanes = byId("lanes");
  if (lanes && builds.length > 0) {
    const svg = byId("time");
    const said = byId("time-detail");
    let here = null;

    const about = (index) => {
      const build = builds[index];
      const words = [
        plain(build.name),
        build.layer === null ? "image" : plain(build.layer),
        `place ${build.place + 1}`,
        `began after ${time(build.started_seconds)}`,
        `took ${time(build.seconds)}`,
      ];
      if (build.waited_seconds > 0) words.push(`waited ${time(build.waited_seconds)}`);
      if (build.is_critical) words.push("in the chain that determined the end");
      if (build.outcome !== "done") words.push(build.outcome);
      return words.join(" · ");
    };
    const barsOf = (index) => svg.querySelectorAll(`[data-build="${index}"]`);
    const indexOf = (target) => {
      const bar = target.closest ? target.closest("[data-build]") : null;
      return bar ? Number(bar.dataset.build) : null;
    };
    const select = (index) => {
      if (here !== null) barsOf(here).forEach((bar) => bar.classList.remove("here"));
      here = index;
      if (here === null) { said.textContent = "\u00a0"; return; }
      const bars = barsOf(here);
      bars.forEach((bar) => bar.classList.add("here"));
      said.textContent = about(here);
      const bar = bars[0].getBoundingClientRect(), view = lanes.getBoundingClientRect();
      if (bar.left < view.left || bar.right > view.right) {
        lanes.scrollLeft += bar.left - view.left - view.width / 3;
      }
    };
    // The next build in this place, or the one that ran at this time in another place.
    const step = (key) => {
      if (here === null) return 0;
      const build = builds[here];
      const middle = (one) => one.started_seconds + one.seconds / 2;
      const places = { ArrowUp: build.place - 1, ArrowDown: build.place + 1 };
      let best = here, least = Infinity;
      builds.forEach((other, index) => {
        const after = middle(other) - middle(build);
        const isNext = key in places
          ? other.place === places[key]
          : other.place === build.place && index !== here && (key === "ArrowRight") === (index > here);
        if (isNext && Math.abs(after) < least) { least = Math.abs(after); best = index; }
      });
      return best;
    };

    lanes.addEventListener("click", (event) => select(indexOf(event.target)));
    lanes.addEventListener("pointerover", (event) => {
      const index = indexOf(event.target);
      if (index !== null) said.textContent = about(index);
    });
    lanes.addEventListener("pointerleave", () => { said.textContent = here === null ? "\u00a0" : about(here); });
    lanes.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key in ARROWS) select(step(event.key));
      else if (event.key === "Escape") select(null);
      else return;
      event.preventDefault();
    });
    byId("zoom").addEventListener("input", (event) => {
      const middle = (lanes.scrollLeft + lanes.clientWidth / 2) / lanes.scrollWidth;
      svg.style.width = `${(2 ** Number(event.target.value) * 100).toFixed(1)}%`;
      lanes.scrollLeft = middle * lanes.scrollWidth - lanes.clientWidth / 2;
    });
  }

  // ---- Finding rows ---------------------------------------------------------------------

  for (const input of document.querySelectorAll("input.find")) {
    const rows = [...document.querySelectorAll(`table.${input.dataset.table} tbody tr`)];
    const found = input.closest("p").querySelector(".found");
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let n = 0;
      for (const row of rows) {
        const isHit = row.textContent.toLowerCase().includes(wanted);
        row.hidden = !isHit;
        n += isHit ? 1 : 0;
      }
      found.textContent = wanted === "" ? "" : `${number(n)} of ${number(rows.length)}`;
    });
  }
})();
