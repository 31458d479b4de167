"use strict";
// The page is whole without this: it lets the table of sessions be sorted and
// filtered, and unfolds everything for the printer.
(() => {
  const root = document.documentElement;
  root.classList.add("script");

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const d of folded) d.open = true;
  });
  addEventListener("afterprint", () => {
    for (const d of folded) d.open = false;
  });

  const table = document.getElementById("table");
  if (!table) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows];
  const words = new Intl.Collator(root.lang, { numeric: true });

  // Rows without a value come last in either direction; equal ones keep their
  // order.
  const sort = (column, down) => {
    const keyed = rows.map((row) => {
      const cell = row.cells[column];
      const number = cell.dataset.sort;
      return { row, text: cell.textContent.trim(), number: number === undefined ? NaN : Number(number) };
    });
    const numeric = heads[column].classList.contains("number");
    keyed.sort((a, b) => {
      const noA = numeric ? Number.isNaN(a.number) : a.text === "";
      const noB = numeric ? Number.isNaN(b.number) : b.text === "";
      if (noA || noB) return noA - noB;
      const order = numeric ? a.number - b.number : words.compare(a.text, b.text);
      return down ? -order : order;
    });
    body.append(...keyed.map((k) => k.row));
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(column, down);
    });
  });

  const input = document.getElementById("filter");
  const output = document.querySelector("output[for=filter]");
  let texts;
  const filter = () => {
    texts ??= rows.map((row) => row.textContent.toLowerCase());
    const wanted = input.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, i) => {
      row.hidden = !texts[i].includes(wanted);
      if (!row.hidden) shown++;
    });
    output.textContent = wanted ? output.dataset.text.replace("{shown}", shown).replace("{all}", rows.length) : "";
  };
  let waiting;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
})();
