/** Durations as people write and read them. */
const units = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** `90s`, `15m`, `12h` or `7d` in seconds; null for anything else. */
export function parseDuration(text: string): number | null {
  const [, digits, letter] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unit = units.find(([name]) => name === letter);
  return digits === undefined || unit === undefined ? null : Number(digits) * unit[1];
}

/** Seconds in the largest unit that fits, rounded down so that the text never exaggerates. */
export function durationText(seconds: number): string {
  const [name, size] = units.find(([, length]) => seconds >= length) ?? (['s', 1] as const);
  return `${Math.floor(seconds / size)} ${name === 'm' ? 'min' : name}`;
}
