import { styleText } from 'node:util';

type Look = 'bold' | 'dim' | 'green' | 'red' | 'cyan' | 'yellow';

/** Colours text where the stream is a terminal and NO_COLOR is not set; plain text elsewhere. */
export function styled(look: Look, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(look, text, { stream, validateStream: true });
}
