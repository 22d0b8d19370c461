import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  type CertificateRequest,
  createCertificate,
  createKeyPair,
  type Issuer,
  type Subject,
} from './create-certificate.ts';

/** A key and its certificate, both PEM. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

/** What a cluster signs with and shows: everything PEM. */
export interface ClusterCertificates {
  /** Signs servers and users; clients trust it. */
  readonly ca: KeyPair;
  readonly server: KeyPair;
  /** `kubernetes-admin` of `system:masters`. */
  readonly admin: KeyPair;
  /** Signs service account tokens: a P-256 key (ES256), its public half, PEM. */
  readonly serviceAccount: { readonly key: string; readonly publicKey: string };
}

export interface ClusterCertificateOptions {
  /** DNS names and addresses under which the server is reached, beside those of the kubernetes Service. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The authority that is there already; a new one when absent. */
  readonly authority?: KeyPair | undefined;
}

const AUTHORITY: Subject = { commonName: 'kubernetes' };
const DAY_MS = 86_400_000;
const YEARS = { ca: 10, leaf: 1 } as const;
const SKEW_MS = 300_000;
const SERVICE_NAMES = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  'localhost',
  '127.0.0.1',
  '::1',
] as const;

/** Makes the authority, a server certificate and that of the administrator; takes a few milliseconds. */
export function createClusterCertificates(options: ClusterCertificateOptions): ClusterCertificates {
  const { names, now, authority: ca = createAuthority(now) } = options;
  const issuer: Issuer = { subject: AUTHORITY, key: createPrivateKey(ca.key) };
  const all = [...new Set([...SERVICE_NAMES, ...names])];
  const tokens = createKeyPair();
  return {
    ca,
    server: issue(issuer, { subject: { commonName: 'kube-apiserver' }, usage: 'server', names: all }, now),
    admin: issueClient(issuer, { commonName: 'kubernetes-admin', organizations: ['system:masters'] }, now),
    serviceAccount: {
      key: printKey(tokens.privateKey),
      publicKey: tokens.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    },
  };
}

/** Makes a certificate authority that signs itself. */
export function createAuthority(now: number): KeyPair {
  const { publicKey, privateKey } = createKeyPair();
  const validity = { notBefore: now - SKEW_MS, notAfter: now + YEARS.ca * 365 * DAY_MS };
  const issuer: Issuer = { subject: AUTHORITY, key: privateKey };
  return {
    key: printKey(privateKey),
    cert: createCertificate({ subject: AUTHORITY, publicKey, usage: 'ca', ...validity }, issuer),
  };
}

/** A user's certificate: the common name is the user, the organizations are the groups. */
export function issueClient(issuer: Issuer, subject: Subject, now: number): KeyPair {
  return issue(issuer, { subject, usage: 'client' }, now);
}

function issue(issuer: Issuer, request: Pick<CertificateRequest, 'subject' | 'usage' | 'names'>, now: number): KeyPair {
  const { publicKey, privateKey } = createKeyPair();
  const validity = { notBefore: now - SKEW_MS, notAfter: now + YEARS.leaf * 365 * DAY_MS };
  return { key: printKey(privateKey), cert: createCertificate({ ...request, publicKey, ...validity }, issuer) };
}

function printKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
