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
  /** Who asked for each, and for the present `spec.state`, as far as admission stamped it. */
  readonly requesters: Requesters;
}

export interface Requester {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
}

export type Requesters = Readonly<Partial<Record<AskedFor, Requester>>>;

/** What somebody asks for: by annotation, or by `spec.state`. */
export type AskedFor = 'rotate' | 'rollbackTo' | 'revoke' | 'adopt' | 'state';

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
    requesters: readRequesters(annotations[ANNOTATIONS.requestedBy]),
  };
}

/** The name under which admission keeps the requester of each. */
const STAMPED: Readonly<Record<AskedFor, string>> = {
  rotate: ANNOTATIONS.rotate,
  rollbackTo: ANNOTATIONS.rollbackTo,
  revoke: ANNOTATIONS.revoke,
  adopt: ANNOTATIONS.adopt,
  state: 'spec.state',
};

/** Objects from before admission was there have no stamps; what cannot be read names nobody. */
function readRequesters(stamps: string | undefined): Requesters {
  const known = parse(stamps);
  if (known === undefined) return {};
  const found = Object.entries(STAMPED).flatMap(([name, key]) => {
    const requester = readRequester(known[key]);
    return requester === undefined ? [] : [[name, requester] as const];
  });
  return Object.fromEntries(found);
}

function readRequester(value: unknown): Requester | undefined {
  if (!isRecord(value)) return undefined;
  const { username, uid, groups } = value;
  if (typeof username !== 'string' || username === '') return undefined;
  const isList = Array.isArray(groups) && groups.every((group) => typeof group === 'string');
  return {
    username,
    ...(typeof uid === 'string' && { uid }),
    ...(isList && { groups }),
  };
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
