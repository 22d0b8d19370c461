import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { rewriteHtml } from '../../../../src/apiserver/proxying/rewrite-html.ts';

async function rewrite(html: string, pieceLength = html.length || 1): Promise<string> {
  const bytes = Buffer.from(html);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceLength) pieces.push(bytes.subarray(at, at + pieceLength));
  return text(Readable.from(pieces).pipe(rewriteHtml((url) => (url.startsWith('/') ? `/proxy${url}` : url))));
}

describe('HTML on its way through the proxy', () => {
  test.each([
    ['<a href="/x">', '<a href="/proxy/x">'],
    ["<A class=b HREF='/x'>", '<A class=b HREF="/proxy/x">'],
    ['<img src=/x.png alt="/no">', '<img src="/proxy/x.png" alt="/no">'],
    ['<form action = "/x" method=post>', '<form action = "/proxy/x" method=post>'],
    ['<p title="/x">a < b > c</p>', '<p title="/x">a < b > c</p>'],
    ['<a title=">" href="/x">é</a>', '<a title=">" href="/proxy/x">é</a>'],
    ['<a href="https://example.com/">', '<a href="https://example.com/">'],
    ['text <unclosed href="/x"', 'text <unclosed href="/x"'],
  ])('%s becomes %s', async (html, expected) => {
    expect(await rewrite(html)).toBe(expected);
  });

  test('is the same however it is cut into pieces', async () => {
    const html =
      '<html><head><script src="/a.js"></script></head><body>ü <a href="/b">b</a><img src="/c"/></body></html>';
    const whole = await rewrite(html);
    for (let length = 1; length < html.length; length++) expect(await rewrite(html, length)).toBe(whole);
  });
});
