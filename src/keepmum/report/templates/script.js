(() => {
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => { d.open = true; }));
  document.querySelectorAll("table[data-tools]").forEach(table => {
    const body = table.tBodies[0];
    if (body.rows.length < 4) return;
    table.querySelectorAll("thead th[data-sort]").forEach(th => {
      const at = th.cellIndex, button = document.createElement("button");
      button.type = "button";
      button.append(...th.childNodes);
      th.append(button);
      button.onclick = () => {
        const down = th.getAttribute("aria-sort") !== "descending";
        table.querySelectorAll("th[aria-sort]").forEach(other => other.removeAttribute("aria-sort"));
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = row => row.cells[at].dataset.value ?? row.cells[at].textContent.trim();
        const order = (a, b) => a === "" || b === "" ? (a === "") - (b === "") :
          (down ? -1 : 1) * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
        [...body.rows].sort((a, b) => order(key(a), key(b))).forEach(row => body.append(row));
      };
    });
    const tools = document.createElement("p"), label = document.createElement("label"), input = document.createElement("input");
    const count = document.createElement("span");
    tools.className = "tools";
    count.setAttribute("role", "status");
    input.type = "search";
    label.append("Show only rows with ", input);
    tools.append(label, count);
    input.oninput = () => {
      const want = input.value.toLowerCase();
      let shown = 0;
      [...body.rows].forEach(row => { row.hidden = !row.textContent.toLowerCase().includes(want); shown += !row.hidden; });
      count.textContent = want ? shown + " of " + body.rows.length : "";
    };
    table.parentElement.before(tools);
  });
})();
