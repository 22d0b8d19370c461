/** The parts of an image reference as container engines read it. */
export interface ImageReference {
  /** For example `registry.k8s.io`, or `docker.io` when none is written. */
  readonly registry: string;
  /** Path without the registry: `e2e-test-images/agnhost`, `library/nginx`. */
  readonly repository: string;
  /** `latest` when neither tag nor digest is written. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const REFERENCE =
  /^(?:(?<registry>(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::\d+)?|localhost(?::\d+)?|[a-zA-Z0-9-]+:\d+)\/)?(?<repository>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>[a-zA-Z0-9]+:[a-fA-F0-9]{32,}))?$/;

/** Reads an image reference; undefined when container engines would refuse it (InvalidImageName). */
export function parseImageReference(image: string): ImageReference | undefined {
  const { registry, repository, tag, digest } = REFERENCE.exec(image)?.groups ?? {};
  if (repository === undefined) return undefined;
  const isOfficial = registry === undefined && !repository.includes('/');
  return {
    registry: registry ?? 'docker.io',
    repository: isOfficial ? `library/${repository}` : repository,
    tag: tag ?? (digest === undefined ? 'latest' : undefined),
    digest,
  };
}
