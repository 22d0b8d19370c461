const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REFERENCE = new RegExp(
  `^(?:(?:localhost|[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]*[A-Z][A-Za-z0-9.-]*|[A-Za-z0-9.-]+:[0-9]+|\\[[a-fA-F0-9:]+\\](?::[0-9]+)?)(?::[0-9]+)?/)?${COMPONENT}(?:/${COMPONENT})*(?::([\\w][\\w.-]{0,127}))?(@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
);

/** The tag of an image reference: `latest` when it has neither tag nor digest, '' when it has none or is malformed. */
export function imageTag(image: string): string {
  const match = REFERENCE.exec(image);
  if (match === null) return '';
  return match[1] ?? (match[2] === undefined ? 'latest' : '');
}
