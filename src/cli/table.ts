/** Rows as plain text columns, or as JSON for programs. Returns text, writes nothing. */

export interface TableColumn<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number;
}

/** Columns are as wide as their widest cell, numbers stand to the right; lines have no trailing blanks. */
export function table<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map((line) => String(line[i]).length)),
  );
  const numeric = columns.map(
    (_, i) => cells.length > 0 && cells.every((line) => typeof line[i] === 'number'),
  );
  const render = (line: readonly (string | number)[]) =>
    line
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        return numeric[i] ? String(cell).padStart(width) : String(cell).padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [columns.map((column) => column.title), ...cells].map((line) => `${render(line)}\n`).join('');
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
