import { isIP, isIPv4, isIPv6 } from 'node:net';

type Check = (text: string) => boolean;

const HOST =
  /^(?=.{1,255}$)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$/;
const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const uuid = (version: string): Check => {
  const pattern = new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i');
  return (text) => pattern.test(text);
};
const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);

/** The string formats that CRDs know; all others are ignored, as upstream has it. */
const checks: Readonly<Record<string, Check>> = {
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/),
  cidr: (text) => {
    const [address = '', length = '', ...rest] = text.split('/');
    const max = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
    return rest.length === 0 && /^(?:0|[1-9][0-9]*)$/.test(length) && Number(length) <= max;
  },
  date: (text) => /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`)),
  datetime: isDateTime,
  duration: matches(
    /^[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$|^[0-9]+ *(?:ns|us|ms|s|m|h|d|w|(?:nano|micro|milli|)sec(?:ond)?s?|min(?:ute)?s?|hours?|days?|weeks?)$/,
  ),
  email: matches(/^[^\s@<>]+@[^\s@<>]+$/),
  hexcolor: matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  hostname: matches(HOST),
  ipv4: isIPv4,
  ipv6: isIPv6,
  ip: (text) => isIP(text) !== 0,
  mac: matches(/^(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$|^(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}$/),
  uri: (text) => /^\//.test(text) || (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text) && URL.canParse(text)),
  uuid: uuid('[0-9a-f]'),
  uuid3: uuid('3'),
  uuid4: uuid('4'),
  uuid5: uuid('5'),
  k8sshortname: (text) => text.length <= 63 && new RegExp(`^${LABEL}$`).test(text),
  k8slongname: (text) => text.length <= 253 && new RegExp(`^${LABEL}(?:\\.${LABEL})*$`).test(text),
};

/** The check of a format, undefined for one that is not checked. */
export function formatCheck(format: string): Check | undefined {
  const name = format.replaceAll('-', '').toLowerCase();
  return Object.hasOwn(checks, name) ? checks[name] : undefined;
}

function isDateTime(text: string): boolean {
  const match =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?$/.exec(
      text,
    );
  return match !== null && !Number.isNaN(Date.parse(`${match[1]}T${match[2]}Z`));
}
