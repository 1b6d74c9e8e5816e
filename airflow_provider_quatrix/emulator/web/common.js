"use strict";
// What the emulator's pages have in common.

const byId = (id) => document.getElementById(id);

async function control(method, path, body) {
  const options = { method, cache: "no-store" };
  if (body !== undefined) options.body = body;
  const answer = await fetch("/_emulator/" + path, options);
  const result = await answer.json();
  if (!answer.ok) throw new Error(result.error || answer.statusText);
  return result;
}

function trouble(text) {
  const box = byId("trouble");
  box.hidden = !text;
  box.textContent = text || "";
}

// Rows are kept while their key stays: a row made anew between press and release of the mouse would lose the click.
function rows(tableId, items, keyOf, cellsOf, buttonsOf) {
  const table = byId(tableId);
  const body = table.tBodies[0];
  const old = new Map(Array.from(body.rows, (row) => [row.dataset.key, row]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    let row = old.get(key);
    old.delete(key);
    if (!row) {
      row = document.createElement("tr");
      row.dataset.key = key;
    }
    const cells = cellsOf(item);
    cells.forEach(([text, className, title], column) => {
      const cell = row.cells[column] || row.insertCell();
      if (cell.textContent !== text) cell.textContent = text;
      cell.className = className || "";
      if (title) cell.title = title;
    });
    if (buttonsOf && !row.cells[cells.length]) row.insertCell().append(...buttonsOf(item));
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] || null);
  });
  old.forEach((row) => row.remove());
  table.hidden = !items.length;
  const nothing = byId("no-" + tableId);
  if (nothing) nothing.hidden = items.length > 0;
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

function bytes(number) {
  let unit = 0;
  while (number >= 1000 && unit < UNITS.length - 1) {
    number /= 1000;
    unit += 1;
  }
  return (unit && number < 100 ? number.toFixed(1) : String(Math.round(number))) + " " + UNITS[unit];
}

const dateTime = (seconds) => new Date(seconds * 1000).toLocaleString([], { hour12: false });
