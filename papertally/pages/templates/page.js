// Sort, filter and evidence; without it the page is whole, with the evidence in <details>.
(() => {
  "use strict";
  const form = document.getElementById("controls");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const tables = all("table[data-table]").map((table) => ({
    table,
    id: table.dataset.table,
    section: table.closest(".table"),
    heads: all("thead th[data-col]", table),
    rows: [...table.tBodies],
    sorted: null, // [column, "asc" | "desc"]; null: as printed
  }));
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");

  // What a column is sorted by: a cell's printed number, achieved value, deviation or verdict; elsewhere its text.
  function key(row, index, by) {
    const cell = row.rows[0].cells[index];
    const { printed, achieved, deviation, order } = cell.dataset;
    if (cell.dataset.key !== undefined) return Number(cell.dataset.key);
    if (printed === undefined) return cell.classList.contains("none") ? null : cell.textContent.trim() || null;
    const text = { printed, achieved, deviation, verdict: order }[by];
    return text ? Number(text) : null;
  }

  // Compare texts with the numbers in them as numbers: 0.25 before 0.5.
  function natural(a, b) {
    const [x, y] = [a, b].map((text) => text.toLowerCase().split(/(\d+(?:\.\d+)?)/));
    for (let i = 0; i < Math.min(x.length, y.length); i += 1) {
      const order = i % 2 ? Number(x[i]) - Number(y[i]) : x[i].localeCompare(y[i], "en");
      if (order) return order;
    }
    return x.length - y.length;
  }

  function sort(entry, by) {
    let rows = entry.rows;
    const index = entry.sorted ? entry.heads.findIndex((head) => head.dataset.col === entry.sorted[0]) : -1;
    if (index >= 0) {
      const sign = entry.sorted[1] === "asc" ? 1 : -1;
      const keys = new Map(rows.map((row) => [row, key(row, index, by)]));
      rows = [...rows].sort((a, b) => {
        const [x, y] = [keys.get(a), keys.get(b)];
        if (x === null || y === null) return (x === null) - (y === null); // what has no value comes last
        return sign * (typeof x === "number" ? x - y : natural(x, y));
      });
    }
    entry.heads.forEach((head, i) => {
      const state = i !== index ? "none" : entry.sorted[1] === "asc" ? "ascending" : "descending";
      head.setAttribute("aria-sort", state);
    });
    entry.table.append(...rows);
  }

  function state() {
    const data = new FormData(form);
    return {
      verdicts: data.getAll("verdict"),
      table: data.get("table") || "",
      words: (data.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean),
      by: data.get("by") || "printed",
    };
  }

  function filter() {
    const { verdicts, table, words } = state();
    let lines = 0, total = 0, rows = 0;
    for (const entry of tables) {
      let visible = 0;
      entry.table.classList.toggle("hits", verdicts.length > 0);
      for (const row of entry.rows) {
        const cells = all("[data-verdict]", row);
        const fits = (!table || table === entry.id) && words.every((word) => row.dataset.search.includes(word));
        let hits = 0;
        for (const cell of cells) {
          const hit = fits && (!verdicts.length || verdicts.includes(cell.dataset.verdict));
          cell.classList.toggle("hit", hit && verdicts.length > 0);
          hits += hit;
        }
        row.hidden = !hits;
        visible += hits > 0;
        lines += hits;
        total += cells.length;
      }
      rows += visible;
      entry.section.hidden = !visible;
    }
    nothing.hidden = lines > 0;
    const where = tables.length > 1 ? ` in ${rows} rows` : "";
    shown.textContent = `${lines} of ${total} ${form.dataset.unit}${where}`;
  }

  // The address keeps the state: verdict, table, q, by, and sort as table.column.direction.
  function remember() {
    const { verdicts, table, by } = state();
    const query = new URLSearchParams();
    if (verdicts.length) query.set("verdict", verdicts.join(","));
    if (table) query.set("table", table);
    if (form.q.value) query.set("q", form.q.value);
    if (by !== "printed") query.set("by", by);
    if (form.small && !form.small.checked) query.set("small", "0");
    const sorts = tables.filter((entry) => entry.sorted).map((entry) => [entry.id, ...entry.sorted].join("."));
    if (sorts.length) query.set("sort", sorts.join(","));
    replace(location.pathname + (query.size ? `?${query}` : "") + location.hash);
  }

  function replace(address) {
    try { history.replaceState(null, "", address); } catch { /* a sandbox may forbid it: only the address suffers */ }
  }

  function recall() {
    const query = new URLSearchParams(location.search);
    const verdicts = (query.get("verdict") || "").split(",");
    for (const box of all("input[name=verdict]", form)) box.checked = verdicts.includes(box.value);
    for (const name of ["table", "by"]) {
      const value = query.get(name);
      if (form[name] && value && [...form[name].options].some((option) => option.value === value)) form[name].value = value;
    }
    form.q.value = query.get("q") || "";
    if (form.small) form.small.checked = query.get("small") !== "0";
    for (const part of (query.get("sort") || "").split(",")) {
      const [id, column, direction] = part.split(".");
      const entry = tables.find((found) => found.id === id);
      const known = entry && entry.heads.some((head) => head.dataset.col === column);
      if (known && ["asc", "desc"].includes(direction)) entry.sorted = [column, direction];
    }
  }

  function update() {
    const { by } = state();
    for (const entry of tables) {
      entry.table.classList.toggle("without", Boolean(form.small) && !form.small.checked);
      sort(entry, by);
    }
    filter();
  }

  function reset() {
    all("input[name=verdict]", form).forEach((box) => { box.checked = false; });
    for (const [name, value] of [["table", ""], ["by", "printed"], ["q", ""]]) if (form[name]) form[name].value = value;
    if (form.small) form.small.checked = true;
    tables.forEach((entry) => { entry.sorted = null; });
    update();
    remember();
  }

  if (form) {
    for (const entry of tables) {
      for (const head of entry.heads) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "sort";
        button.append(...head.childNodes);
        head.append(button);
        button.addEventListener("click", () => {
          const [column, direction] = entry.sorted || [];
          const next = column !== head.dataset.col ? "asc" : direction === "asc" ? "desc" : null;
          entry.sorted = next && [head.dataset.col, next];
          sort(entry, state().by);
          remember();
        });
      }
    }
    form.addEventListener("input", () => { update(); remember(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const button of all("[data-reset]")) button.addEventListener("click", reset);
    for (const link of all("a[data-filter]")) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        all("input[name=verdict]", form).forEach((box) => { box.checked = box.value === link.dataset.filter; });
        update();
        remember();
        document.getElementById("tables").scrollIntoView();
      });
    }
    recall();
    update();
  }

  // Evidence: the dossier that stands in the table's register, in a dialog.
  const dialog = document.getElementById("evidence");
  let current = null;

  function open(cell, focus = true) {
    const article = document.getElementById(`e-${cell.id}`);
    if (!article) return;
    if (current) current.classList.remove("here");
    current = cell;
    cell.classList.add("here");
    const [title, ...rest] = [...article.children].map((child) => child.cloneNode(true));
    dialog.querySelector("#evidence-title").replaceChildren(...title.childNodes);
    const body = dialog.querySelector(".body");
    body.replaceChildren(...rest);
    body.scrollTop = 0;
    if (!dialog.open) dialog.showModal();
    if (focus) dialog.querySelector("[data-close]").focus();
    replace(`${location.pathname}${location.search}#${cell.id}`);
  }

  function step(by) {
    const cells = all("a.open").filter((link) => link.offsetParent).map((link) => link.parentElement);
    const at = cells.indexOf(current);
    const next = cells[(at + by + cells.length) % cells.length];
    if (next) { next.scrollIntoView({ block: "center" }); open(next, false); }
  }

  // An address may name a number (its dialog opens) or a statement (its details open).
  function follow() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.matches("td.cell[id]") && dialog) { target.scrollIntoView({ block: "center" }); open(target); }
    const details = target.closest("details") || (target.matches("tbody") && target.querySelector("details"));
    if (details) { details.open = true; target.scrollIntoView(); }
  }

  if (dialog) {
    for (const link of all("a.open")) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        open(link.parentElement);
      });
    }
    dialog.addEventListener("click", (event) => {
      const button = event.target.closest("[data-step], [data-close], a[href^='#']");
      if (event.target === dialog || (button && button.matches("[data-close], a"))) dialog.close();
      else if (button) step(Number(button.dataset.step));
    });
    dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) { event.preventDefault(); step(by); }
    });
    dialog.addEventListener("close", () => {
      if (!current) return;
      current.classList.remove("here");
      current.querySelector("a.open").focus({ preventScroll: true });
      if (location.hash.slice(1) === current.id) replace(location.pathname + location.search);
      current = null;
    });
  }
  addEventListener("hashchange", follow);
  follow();

  // On paper everything but the register of evidence is open.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open]):not(.register)");
    closed.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));
})();
