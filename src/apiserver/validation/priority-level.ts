import type {
  ExemptPriorityLevelConfiguration,
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from '../../kube/generated/types.ts';
import { mandatoryPriorityLevels } from '../flowcontrol/bootstrap-configuration.ts';
import { MAX_HASH_BITS, requiredEntropyBits } from '../flowcontrol/shuffle-sharding.ts';
import { sameValue } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { forbidden, invalid, notSupported, required } from './field-errors.ts';
import { validateConditions } from './flow-schema.ts';

const MAX_QUEUES = 10_000_000;
const EXEMPT = 'exempt';

/** What is wrong with a PriorityLevelConfiguration. */
export function validatePriorityLevel(level: PriorityLevelConfiguration): FieldCause[] {
  const name = level.metadata?.name ?? '';
  const spec = level.spec ?? ({} as Partial<PriorityLevelConfigurationSpec>);
  return [...validateSpec(name, spec), ...validateFixed(name, spec), ...validateConditions(level)];
}

function validateFixed(name: string, spec: Partial<PriorityLevelConfigurationSpec>): FieldCause[] {
  const fixed = mandatoryPriorityLevels.find(({ metadata }) => metadata?.name === name)?.spec;
  if (!fixed) return [];
  const compared = name === EXEMPT ? { ...spec, exempt: fixed.exempt } : spec;
  if (sameValue(compared, fixed)) return [];
  const except = name === EXEMPT ? " except the 'spec.exempt' field" : '';
  return [invalid('spec', goSpec(spec), `spec of '${name}'${except} must equal the fixed value`)];
}

function validateSpec(name: string, spec: Partial<PriorityLevelConfigurationSpec>): FieldCause[] {
  const { type = '', exempt, limited } = spec;
  const isExempt = type === 'Exempt';
  const causes: FieldCause[] = [];
  if ((name === EXEMPT) !== isExempt) {
    causes.push(invalid('spec.type', type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  }
  if (isExempt) {
    if (limited) causes.push(forbidden('spec.limited', 'must be nil if the type is not Limited'));
    return exempt ? [...causes, ...validateExempt(exempt, 'spec.exempt')] : causes;
  }
  if (type === '') return [...causes, required('spec.type')];
  if (type !== 'Limited') return [...causes, notSupported('spec.type', type, ['Exempt', 'Limited'])];
  if (exempt) causes.push(forbidden('spec.exempt', 'must be nil if the type is Limited'));
  if (!limited) return [...causes, required('spec.limited', 'must not be empty when type is Limited')];
  return [...causes, ...validateLimited(limited, 'spec.limited')];
}

interface Shares {
  readonly nominalConcurrencyShares?: number | undefined;
  readonly lendablePercent?: number | undefined;
}

function validateShares({ nominalConcurrencyShares: shares = 0 }: Shares, path: string): FieldCause[] {
  return shares < 0 ? [invalid(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer')] : [];
}

function validateLendable({ lendablePercent: percent = 0 }: Shares, path: string): FieldCause[] {
  if (percent >= 0 && percent <= 100) return [];
  return [invalid(`${path}.lendablePercent`, percent, 'must be between 0 and 100, inclusive')];
}

function validateExempt(exempt: ExemptPriorityLevelConfiguration, path: string): FieldCause[] {
  return [...validateShares(exempt, path), ...validateLendable(exempt, path)];
}

function validateLimited(limited: LimitedPriorityLevelConfiguration, path: string): FieldCause[] {
  const { limitResponse, borrowingLimitPercent: borrowing = 0 } = limited;
  const causes = [
    ...validateShares(limited, path),
    ...validateLimitResponse(limitResponse ?? { type: '' }, `${path}.limitResponse`),
    ...validateLendable(limited, path),
  ];
  if (borrowing >= 0) return causes;
  const detail = 'if specified, must be a non-negative integer';
  return [...causes, invalid(`${path}.borrowingLimitPercent`, borrowing, detail)];
}

function validateLimitResponse({ type = '', queuing }: LimitResponse, path: string): FieldCause[] {
  const at = `${path}.queuing`;
  if (type === 'Reject') {
    return queuing ? [forbidden(at, 'must be nil if limited.limitResponse.type is not Limited')] : [];
  }
  if (type === 'Queue') {
    if (queuing) return validateQueuing(queuing, at);
    return [required(at, 'must not be empty if limited.limitResponse.type is Limited')];
  }
  return [type === '' ? required(`${path}.type`) : notSupported(`${path}.type`, type, ['Queue', 'Reject'])];
}

function validateQueuing(queuing: QueuingConfiguration, path: string): FieldCause[] {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  const positive = 'must be positive';
  const causes: FieldCause[] = [];
  if (queueLengthLimit <= 0) causes.push(invalid(`${path}.queueLengthLimit`, queueLengthLimit, positive));
  if (queues <= 0) causes.push(invalid(`${path}.queues`, queues, positive));
  else if (queues > MAX_QUEUES)
    causes.push(invalid(`${path}.queues`, queues, `must not be greater than ${MAX_QUEUES}`));
  const wrong = handSizeProblem(queues, handSize);
  return wrong ? [...causes, invalid(`${path}.handSize`, handSize, wrong)] : causes;
}

function handSizeProblem(queues: number, handSize: number): string | undefined {
  if (handSize <= 0) return 'must be positive';
  if (handSize > queues) return `should not be greater than queues (${queues})`;
  if (requiredEntropyBits(queues, handSize) <= MAX_HASH_BITS) return undefined;
  return `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${MAX_HASH_BITS}`;
}

// The server prints a spec that is wrong as a whole by the names of its Go fields.
function goSpec({ type = '', limited, exempt }: Partial<PriorityLevelConfigurationSpec>): object {
  return { Type: type, Limited: limited ? goLimited(limited) : null, Exempt: exempt ? goExempt(exempt) : null };
}

const goExempt = ({ nominalConcurrencyShares, lendablePercent }: ExemptPriorityLevelConfiguration): object => ({
  NominalConcurrencyShares: nominalConcurrencyShares ?? null,
  LendablePercent: lendablePercent ?? null,
});

function goLimited(limited: LimitedPriorityLevelConfiguration): object {
  const { queuing, type = '' } = limited.limitResponse ?? ({} as Partial<LimitResponse>);
  return {
    NominalConcurrencyShares: limited.nominalConcurrencyShares ?? 0,
    LimitResponse: {
      Type: type,
      Queuing: queuing
        ? { Queues: queuing.queues, HandSize: queuing.handSize, QueueLengthLimit: queuing.queueLengthLimit }
        : null,
    },
    LendablePercent: limited.lendablePercent ?? null,
    BorrowingLimitPercent: limited.borrowingLimitPercent ?? null,
  };
}
