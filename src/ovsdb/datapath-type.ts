/** Reads a bridge's `datapath_type`: a bridge that was created without one has the kernel's datapath. */

/** The type by its full name. */
export const datapathTypeOf = (column: string): string => (column === '' ? 'system' : column);

export const isKernelDatapath = (column: string | undefined): boolean =>
  column !== undefined && datapathTypeOf(column) === 'system';
