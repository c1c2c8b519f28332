// Elements, and changing them only where they differ: ten pictures a second must not disturb a selection or a focus.

export const $ = id => document.getElementById(id);

// el("td.soft", "text", child, { title: "…" })
export function el(kind, ...inner) {
  const [tag, ...classes] = kind.split("."), element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const one of inner) {
    if (one == null) continue;
    if (typeof one === "object" && !(one instanceof Node)) {
      for (const [key, value] of Object.entries(one)) key in element && key !== "list" ? element[key] = value : element.setAttribute(key, value);
    } else element.append(one);
  }
  return element;
}

export function put(node, text, cls) {
  if (node.textContent !== text) node.textContent = text;
  if (cls !== undefined && node.className !== cls) node.className = cls;
}

export function show(node, visible) { if (node.hidden === visible) node.hidden = !visible; }

// Rows of a table, each { cells: [text or [text, class]], cls, head, use: share of a limit, good, title }.
export function fill(table, rows) {
  while (table.rows.length > rows.length) table.deleteRow(-1);
  rows.forEach((row, i) => {
    const tr = table.rows[i] ?? table.insertRow(), kind = row.head ? "th" : "td";
    if (tr.cells.length !== row.cells.length || tr.cells[0].localName !== kind) {
      tr.replaceChildren(...row.cells.map(() => el(kind)));
      if (row.head) for (const cell of tr.cells) cell.scope = "col";
    }
    row.cells.forEach((cell, j) => put(tr.cells[j], ...(Array.isArray(cell) ? cell : [cell, ""])));
    const cls = [row.cls ?? "", row.use == null ? "" : "use", row.use > .8 && !row.good ? "near" : ""].filter(Boolean).join(" ");
    if (tr.className !== cls) tr.className = cls;
    const title = row.title ?? "";
    if (tr.title !== title) tr.title = title;
    const of = row.use == null ? "" : Math.min(100, 100 * Math.abs(row.use)).toFixed(1) + "%";
    if (tr.style.getPropertyValue("--of") !== of) tr.style.setProperty("--of", of);
  });
}

// A panel of the desk.
export function panel(title, cls, ...inner) {
  const head = el("h2", title), box = el("section" + (cls ? "." + cls : ""), el("div.head", head), ...inner);
  return Object.assign(box, { head: box.firstChild, label: head });
}

const probe = getComputedStyle(document.documentElement);
export const css = name => probe.getPropertyValue(name).trim();
