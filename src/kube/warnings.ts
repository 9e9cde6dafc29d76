/** What the API server, and the admission that it asks, remark about a request in `Warning` headers. */

/** `299 - "text"`, as the API server writes them; several can stand in one header. */
const WARNING = /\s*(\d{3}) [^\s"]+ "((?:[^"\\]|\\.)*)"(?: "[^"]*")?\s*(?:,|$)/gy;
/** Miscellaneous and persistent: the one that Kubernetes uses. Others are of proxies. */
const KUBERNETES = '299';

/** Texts in the order told; what cannot be read is left out. */
export function readWarnings(header: string | readonly string[] | undefined): readonly string[] {
  return [header ?? []]
    .flat()
    .flatMap((one) => [...utf8(one).matchAll(WARNING)])
    .filter(([, code]) => code === KUBERNETES)
    .map(([, , text = '']) => text.replaceAll(/\\(.)/g, '$1'))
    .filter((text) => text !== '');
}

/** Headers come one character a byte; Kubernetes writes UTF-8. */
function utf8(header: string): string {
  return Buffer.from(header, 'latin1').toString('utf8');
}
