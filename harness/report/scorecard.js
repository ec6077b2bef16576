// Hovering, tapping, sorting and filtering. The page says everything without this.
"use strict";
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const show = (point, text) => {
    tip.textContent = text;
    tip.hidden = false;
    const box = point.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left + box.width / 2 - own.width / 2), innerWidth - own.width - 8);
    const above = box.top - own.height - 6;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 4 ? above : box.bottom + 6) + scrollY}px`;
  };
  const hide = () => { tip.hidden = true; };
  for (const point of document.querySelectorAll(".chart .pt")) {
    const title = point.querySelector("title");
    if (!title) continue;
    const text = title.textContent;
    title.remove();
    point.addEventListener("pointerenter", () => show(point, text));
    // A finger leaves when it is lifted, and what it asked for stays until it asks for something else.
    point.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") hide(); });
  }
  addEventListener("pointerdown", (event) => { if (!event.target.closest(".pt")) hide(); });

  // Numbers as the page writes them: "+.422 [...]", "1,234", "−.5"; anything else is text.
  const key = (cell) => {
    const text = (cell?.textContent ?? "").trim();
    const found = text.replace("−", "-").replaceAll(",", "").match(/^[+-]?(\d+\.?\d*|\.\d+)/);
    return found ? Number(found[0]) : text.toLowerCase();
  };
  const compare = (a, b) => {
    if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
    return typeof a === "number" ? -1 : 1;
  };
  const items = (table) => (table.tBodies.length > 1 ? [...table.tBodies] : [...table.tBodies[0].rows]);
  for (const table of document.querySelectorAll("table.sortable")) {
    if (items(table).length < 3) continue;
    table.querySelectorAll("thead th").forEach((head, column) => {
      const button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
        const cell = (item) => (item.tagName === "TR" ? item : item.rows[0]).cells[column];
        const sorted = items(table).sort((a, b) => down * compare(key(cell(a)), key(cell(b))));
        const parent = sorted[0].parentNode;
        parent.append(...sorted);
      });
    });
  }
  for (const table of document.querySelectorAll("table.filtered")) {
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "show rows that contain …";
    input.setAttribute("aria-label", "Show only rows that contain this text");
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase();
      for (const item of items(table)) item.hidden = !item.textContent.toLowerCase().includes(wanted);
    });
    table.closest(".wide").before(input);
  }
})();
