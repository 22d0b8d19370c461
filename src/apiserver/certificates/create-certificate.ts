import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { parseAddress } from '../../ipam/address.ts';
import {
  bits,
  boolean,
  der,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  set,
  time,
  utf8,
} from './der.ts';

/** What stands in a certificate's subject. */
export interface Subject {
  readonly commonName: string;
  /** Groups, for a user's certificate. */
  readonly organizations?: readonly string[];
}

export interface CertificateRequest {
  readonly subject: Subject;
  readonly publicKey: KeyObject;
  /** DNS names and addresses by which a server is reached. */
  readonly names?: readonly string[];
  readonly usage: 'ca' | 'server' | 'client';
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Issuer {
  readonly subject: Subject;
  /** P-256. */
  readonly key: KeyObject;
}

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const EXTENDED_USAGES = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

/** A P-256 key pair. */
export function createKeyPair(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** An X.509 certificate in PEM, signed by `issuer`. */
export function createCertificate(request: CertificateRequest, issuer: Issuer): string {
  const serial = randomBytes(16);
  serial[0]! &= 0x7f;
  serial[0]! |= 0x40;
  const content = sequence(
    explicit(0, integer(2)),
    integer(serial),
    ECDSA_WITH_SHA256,
    printSubject(issuer.subject),
    sequence(time(request.notBefore), time(request.notAfter)),
    printSubject(request.subject),
    request.publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions(request, issuer))),
  );
  const signature = sign('sha256', content, issuer.key);
  return printPem('CERTIFICATE', sequence(content, ECDSA_WITH_SHA256, bits(signature)));
}

/** PEM with lines of 64 characters. */
export function printPem(label: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function printSubject({ commonName, organizations = [] }: Subject): Buffer {
  const attribute = (type: string, text: string): Buffer => set(sequence(objectIdentifier(type), utf8(text)));
  return sequence(...organizations.map((name) => attribute('2.5.4.10', name)), attribute('2.5.4.3', commonName));
}

function extensions({ usage, names = [], publicKey }: CertificateRequest, issuer: Issuer): Buffer[] {
  const isAuthority = usage === 'ca';
  // Bits from the left: digitalSignature 0, keyCertSign 5, cRLSign 6.
  const keyUsage = isAuthority ? bits(Buffer.from([0x86]), 1) : bits(Buffer.from([0x80]), 7);
  const list = [
    extension('2.5.29.15', keyUsage, true),
    extension('2.5.29.19', isAuthority ? sequence(boolean(true)) : sequence(), true),
    extension('2.5.29.35', sequence(implicit(0, keyIdentifier(issuer.key)))),
  ];
  if (isAuthority) list.push(extension('2.5.29.14', octets(keyIdentifier(publicKey))));
  else list.push(extension('2.5.29.37', sequence(objectIdentifier(EXTENDED_USAGES[usage]))));
  if (names.length > 0) list.push(extension('2.5.29.17', sequence(...names.map(alternativeName))));
  return list;
}

function extension(type: string, value: Uint8Array, critical = false): Buffer {
  return sequence(objectIdentifier(type), ...(critical ? [boolean(true)] : []), octets(value));
}

function keyIdentifier(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}

function alternativeName(name: string): Buffer {
  const address = parseAddress(name);
  if (!address) return implicit(2, Buffer.from(name));
  const hex = address.value.toString(16).padStart(address.family === 'IPv4' ? 8 : 32, '0');
  return der(0x87, Buffer.from(hex, 'hex'));
}
