const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const;

/** Bytes with a decimal unit, as in `10 GB` and `1.5 kB`. Source: dustin/go-humanize `Bytes`. */
export function bytesText(bytes: bigint): string {
  if (bytes < 10n) return `${bytes} B`;
  const size = Number(bytes);
  const power = Math.min(Math.floor(Math.log10(size) / 3 + 1e-12), units.length - 1);
  const value = Math.floor((size / 1000 ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[power]}`;
}
