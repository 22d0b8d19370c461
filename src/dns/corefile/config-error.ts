import { UserError } from '../../errors/towtank-error.ts';
import type { Token } from './tokens.ts';

/** An ERR_DNS_CONFIG that names file and line, as CoreDNS prints it. */
export function configError(at: Pick<Token, 'file' | 'line'>, message: string, hint?: string): UserError {
  return new UserError({
    code: 'ERR_DNS_CONFIG',
    message: `${at.file}:${at.line} - Error during parsing: ${message}`,
    hint: hint ?? `Mend line ${at.line} of ${at.file}.`,
  });
}
