/** A conntrack zone, in [1, 65535]. Only one host knows what it means: another host has another zone for the network. */
declare const zoneBrand: unique symbol;
export type Zone = number & { readonly [zoneBrand]: true };

const lastZone = 65_535;

export const isZone = (value: number): value is Zone =>
  Number.isInteger(value) && value >= 1 && value <= lastZone;
