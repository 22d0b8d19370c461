import { functionParameters } from '../functions.ts';
import {
  BOOL,
  type CelType,
  DYN,
  INT,
  isAssignable,
  isOpen,
  isSimple,
  listOf,
  optionalOf,
  STRING,
  simple,
  UNKNOWN,
} from './cel-type.ts';

const byResult: Readonly<Record<string, string>> = {
  bool: 'bool contains containsCIDR containsIP endsWith hasValue ip.isCanonical isCIDR isGlobalUnicast isGreaterThan isIP isInteger isLessThan isLinkLocalMulticast isLinkLocalUnicast isLoopback isQuantity isSemver isSorted isURL isUnspecified matches sets.contains sets.equivalent sets.intersects startsWith',
  bytes: 'bytes',
  double: 'asApproximateFloat double',
  duration: 'duration',
  int: 'asInteger compareTo family getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth getSeconds indexOf int lastIndexOf major minor patch prefixLength sign size',
  string:
    'charAt find format getEscapedPath getHost getHostname getPort getScheme join lowerAscii replace string strings.quote substring trim upperAscii',
  timestamp: 'timestamp',
  uint: 'uint',
  'kubernetes.Quantity': 'quantity',
  'kubernetes.Semver': 'semver',
  'kubernetes.URL': 'url',
  'net.CIDR': 'cidr',
  'net.IP': 'ip',
};

const results = new Map(
  Object.entries(byResult).flatMap(([result, names]) =>
    names.split(' ').map((name) => [name, simple(result)] as const),
  ),
);

type Arguments = readonly CelType[];

const elementOf = (type: CelType | undefined): CelType =>
  type?.kind === 'list' || type?.kind === 'optional_type' ? type.of : UNKNOWN;

// Results that follow from the arguments; of a method the first is its target.
const derived: Readonly<Record<string, (args: Arguments) => CelType>> = {
  distinct: ([list]) => list!,
  dyn: () => DYN,
  findAll: () => listOf(STRING),
  'format.named': () => optionalOf(simple('kubernetes.NamedFormat')),
  'lists.range': () => listOf(INT),
  max: ([list]) => elementOf(list),
  min: ([list]) => elementOf(list),
  'optional.none': () => optionalOf(UNKNOWN),
  'optional.of': ([value]) => optionalOf(value!),
  'optional.ofNonZeroValue': ([value]) => optionalOf(value!),
  or: ([optional]) => optional!,
  orValue: ([optional]) => elementOf(optional),
  reverse: ([list]) => list!,
  slice: ([list]) => list!,
  sort: ([list]) => list!,
  split: () => listOf(STRING),
  sum: ([list]) => elementOf(list),
  type: ([value]) => ({ kind: 'type', of: value! }),
  value: ([optional]) => elementOf(optional),
};

// What the types of arguments have to do with each other.
const related: Readonly<Record<string, (args: Arguments) => boolean>> = {
  indexOf: ([list, value]) => list!.kind !== 'list' || isAssignable(list!.of, value!),
  join: ([list]) => isAssignable(list!, listOf(STRING)),
  lastIndexOf: ([list, value]) => list!.kind !== 'list' || isAssignable(list!.of, value!),
  or: ([a, b]) => isAssignable(a!, b!),
  orValue: ([optional, value]) => isAssignable(elementOf(optional), value!),
  sum: ([list]) => isOpen(elementOf(list)) || ADDED.includes(nameOf(elementOf(list))),
  'sets.contains': ([a, b]) => isAssignable(a!, b!),
  'sets.equivalent': ([a, b]) => isAssignable(a!, b!),
  'sets.intersects': ([a, b]) => isAssignable(a!, b!),
};

/** The type of a call; undefined when no overload takes the arguments. Of a method the first argument is its target. */
export function callType(name: string, isMethod: boolean, args: Arguments): CelType | undefined {
  const isTaken = functionParameters(name, isMethod).some(
    (types) => types.length === args.length && types.every((type, i) => isTakenBy(type, args[i]!)),
  );
  if (!isTaken || related[name]?.(args) === false) return undefined;
  return derived[name]?.(args) ?? results.get(name) ?? UNKNOWN;
}

const runtimeNames: Readonly<Record<string, string>> = {
  duration: 'google.protobuf.Duration',
  timestamp: 'google.protobuf.Timestamp',
};

const NEVER_NULL = ['bool', 'bytes', 'double', 'int', 'list', 'map', 'string', 'type', 'uint'];

function isTakenBy(parameter: string, type: CelType): boolean {
  if (parameter === 'any' || isOpen(type)) return true;
  if (isSimple(type, 'null')) return !NEVER_NULL.includes(parameter);
  return parameter === (type.kind === 'simple' ? (runtimeNames[type.name] ?? type.name) : type.kind);
}

const NUMBERS = ['int', 'uint', 'double'];
const ADDED = [...NUMBERS, 'duration'];
const ORDERED = [...NUMBERS, 'bool', 'bytes', 'duration', 'string', 'timestamp'];
// Sums and differences of times: operands and result.
const times: Readonly<Record<string, readonly (readonly [string, string, string])[]>> = {
  '_+_': [
    ['timestamp', 'duration', 'timestamp'],
    ['duration', 'timestamp', 'timestamp'],
    ['duration', 'duration', 'duration'],
  ],
  '_-_': [
    ['timestamp', 'timestamp', 'duration'],
    ['timestamp', 'duration', 'timestamp'],
    ['duration', 'duration', 'duration'],
  ],
};
const operands: Readonly<Record<string, readonly string[]>> = {
  '_+_': [...NUMBERS, 'string', 'bytes'],
  '_-_': NUMBERS,
  '_*_': NUMBERS,
  '_/_': NUMBERS,
  '_%_': ['int', 'uint'],
  '-_': ['int', 'double'],
  '!_': ['bool'],
};

const nameOf = (type: CelType): string => (type.kind === 'simple' ? type.name : '');

/** The type of an operator's result; undefined when it does not take the operands. */
export function operatorType(name: string, args: Arguments): CelType | undefined {
  const [a, b] = args as readonly [CelType, CelType];
  if (name === '_==_' || name === '_!=_') return isAssignable(a, b) ? BOOL : undefined;
  if (name === '_in_') return isMember(a, b) ? BOOL : undefined;
  if (/^_[<>]=?_$/.test(name)) return isOrdered(a, b) ? BOOL : undefined;
  if (args.some(isOpen)) {
    if (!args.every((arg, i) => isOpen(arg) || isOperand(name, arg, i))) return undefined;
    return name === '!_' ? BOOL : UNKNOWN;
  }
  if (args.length === 1) return operands[name]!.includes(nameOf(a)) ? a : undefined;
  if (name === '_+_' && a.kind === 'list' && isAssignable(a, b)) return isOpen(a.of) ? b : a;
  if (nameOf(a) === nameOf(b) && operands[name]!.includes(nameOf(a))) return a;
  const time = times[name]?.find(([left, right]) => left === nameOf(a) && right === nameOf(b));
  return time && simple(time[2]);
}

function isOperand(name: string, type: CelType, position: number): boolean {
  if (name === '_+_' && type.kind === 'list') return true;
  return operands[name]!.includes(nameOf(type)) || (times[name] ?? []).some((row) => row[position] === nameOf(type));
}

function isMember(value: CelType, container: CelType): boolean {
  if (isOpen(container)) return true;
  if (container.kind === 'list') return isAssignable(value, container.of);
  return container.kind === 'map' && isAssignable(value, container.key);
}

function isOrdered(a: CelType, b: CelType): boolean {
  const takes = (type: CelType): boolean => isOpen(type) || ORDERED.includes(nameOf(type));
  if (!takes(a) || !takes(b)) return false;
  return isOpen(a) || isOpen(b) || nameOf(a) === nameOf(b) || [a, b].every((type) => NUMBERS.includes(nameOf(type)));
}
