import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

export type Claims = Readonly<Record<string, unknown>>;

/** A key that signs tokens (ES256), and how verifiers name it. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly keyId: string;
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Reads a P-256 private key in PEM. */
export function readSigningKey(pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  const keyId = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  return { privateKey, publicKey, keyId };
}

/** A signed token in compact form. */
export function signToken({ privateKey, keyId }: SigningKey, claims: Claims): string {
  const content = `${base64url({ alg: 'ES256', kid: keyId })}.${base64url(claims)}`;
  const signature = sign('sha256', Buffer.from(content), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${content}.${signature.toString('base64url')}`;
}

/** The claims of a token with a good signature; undefined for any other text. Times are for the caller to judge. */
export function readToken({ publicKey }: SigningKey, token: string): Claims | undefined {
  const [header = '', claims = '', signature = '', ...more] = token.split('.');
  if (more.length > 0 || signature === '') return undefined;
  if (parse(header)?.['alg'] !== 'ES256') return undefined;
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const good = verify('sha256', Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, 'base64url'));
  return good ? parse(claims) : undefined;
}

function parse(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Claims) : undefined;
  } catch {
    // What is no JSON is no token.
    return undefined;
  }
}

/** The public key as verifiers fetch it. */
export function jsonWebKeySet({ publicKey, keyId }: SigningKey): unknown {
  return { keys: [{ use: 'sig', alg: 'ES256', kid: keyId, ...publicKey.export({ format: 'jwk' }) }] };
}
