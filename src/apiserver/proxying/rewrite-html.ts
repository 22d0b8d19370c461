import { Transform } from 'node:stream';

/** Attributes with URLs, by element. */
const attributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

// A tag that is longer than this is passed on as it stands.
const MAX_TAG = 64 * 1024;
const TAG = /<([A-Za-z][A-Za-z0-9]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>/g;
const ATTRIBUTE = /(\s)([A-Za-z]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g;

/** Rewrites the URLs in the tags of an HTML document as it passes; bytes that are no ASCII stay as they are. */
export function rewriteHtml(rewrite: (url: string) => string): Transform {
  let pending = '';
  return new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      const text = pending + chunk.toString('latin1');
      const open = text.lastIndexOf('<');
      const isCut = open !== -1 && !text.includes('>', open) && text.length - open < MAX_TAG;
      pending = isCut ? text.slice(open) : '';
      done(null, rewriteTags(isCut ? text.slice(0, open) : text, rewrite));
    },
    flush(done): void {
      done(null, rewriteTags(pending, rewrite));
    },
  });
}

function rewriteTags(text: string, rewrite: (url: string) => string): Buffer {
  const rewritten = text.replace(TAG, (tag: string, element: string, inside: string) => {
    const names = attributes[element.toLowerCase()];
    return names ? `<${element}${rewriteAttributes(inside, names, rewrite)}>` : tag;
  });
  return Buffer.from(rewritten, 'latin1');
}

function rewriteAttributes(inside: string, names: readonly string[], rewrite: (url: string) => string): string {
  return inside.replace(ATTRIBUTE, (all: string, space: string, name: string, equals: string, ...values: string[]) => {
    const url = values.slice(0, 3).find((value) => value !== undefined);
    if (url === undefined || !names.includes(name.toLowerCase())) return all;
    return `${space}${name}${equals}"${rewrite(url).replaceAll('"', '&quot;')}"`;
  });
}
