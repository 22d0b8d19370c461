/** Response codes; BADVERS needs an OPT record for its upper bits. */
export const Rcode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
} as const;

export type RcodeName = keyof typeof Rcode;

const names = new Map<number, string>(Object.entries(Rcode).map(([name, number]) => [number, name]));

/** `NXDOMAIN`, or the number as text where there is no name. */
export function printRcode(rcode: number): string {
  return names.get(rcode) ?? String(rcode);
}

/** The number of a name in any case, or of a number as text; undefined for anything else. */
export function parseRcode(text: string): number | undefined {
  const known = Rcode[text.toUpperCase() as RcodeName];
  if (known !== undefined) return known;
  return /^\d{1,4}$/.test(text) && Number(text) <= 0xfff ? Number(text) : undefined;
}
