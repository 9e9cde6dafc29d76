import { ANNOTATIONS } from '#api/names.ts';

/** What people ask for by annotation. Each value is also the id under which it is handled once. */
export interface Requests {
  readonly rotate?: string;
  readonly rollbackTo?: VersionRequest;
  readonly revoke?: VersionRequest;
  /** UID of a former namespace whose vault entry may be taken over. */
  readonly adopt?: string;
  /** Why, in the words of whoever asks. */
  readonly reason?: string;
}

export interface VersionRequest {
  /** The annotation as it stands. */
  readonly id: string;
  /** Undefined when the annotation does not begin with a version. */
  readonly version: number | undefined;
}

/** Status, where handled ids and reasons are written, takes no more. What is beyond is cut off. */
const MAX_LENGTH = 512;

/** Reads the requests from an object's annotations; empty ones count as absent. */
export function readRequests(annotations: Readonly<Record<string, string>> = {}): Requests {
  const rotate = text(annotations[ANNOTATIONS.rotate]);
  const rollbackTo = versionRequest(annotations[ANNOTATIONS.rollbackTo]);
  const revoke = versionRequest(annotations[ANNOTATIONS.revoke]);
  const adopt = text(annotations[ANNOTATIONS.adopt]);
  const reason = text(annotations[ANNOTATIONS.reason]);
  return {
    ...(rotate === undefined ? {} : { rotate }),
    ...(rollbackTo === undefined ? {} : { rollbackTo }),
    ...(revoke === undefined ? {} : { revoke }),
    ...(adopt === undefined ? {} : { adopt }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** `<version>` or `<version>/<request id>`. */
function versionRequest(value: string | undefined): VersionRequest | undefined {
  const id = text(value);
  if (id === undefined) return undefined;
  const match = /^([1-9]\d{0,8})(?:\/.+)?$/.exec(id);
  return { id, version: match?.[1] === undefined ? undefined : Number(match[1]) };
}

function text(value: string | undefined): string | undefined {
  const trimmed = value?.slice(0, MAX_LENGTH).trim();
  return trimmed === undefined || trimmed === '' ? undefined : trimmed;
}
