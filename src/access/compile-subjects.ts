/** Whom a policy is about. */
import type { Subject } from '#api/access-policy.ts';
import { serviceAccountUsername } from './identity.ts';
import { isRecord, readText } from './reading.ts';
import type { Reader } from './reading.ts';

export interface CompiledSubject {
  readonly subject: Subject;
  /** Whose username or group has to be `name`; Anyone: everybody's. */
  readonly by: 'User' | 'Group' | 'Anyone';
  readonly name: string;
}

/** The group that the API server puts everybody in who is somebody. */
const ANYONE: CompiledSubject = {
  subject: { kind: 'Group', name: 'system:authenticated' },
  by: 'Anyone',
  name: '',
};

/** What cannot be understood is nobody to an Allow, and may be anyone to a Deny. */
export function compileSubjects(
  given: unknown,
  isDeny: boolean,
  reader: Reader,
): readonly CompiledSubject[] {
  // Nobody is not hard to understand.
  if (given === undefined || (Array.isArray(given) && given.length === 0)) return [];
  const { values, isSound } = reader.list(given, 'spec.subjects', readSubject);
  const known = new Map(values.map((one) => [`${one.by} ${one.name}`, one]));
  return [...known.values(), ...(isDeny && !isSound ? [ANYONE] : [])];
}

function readSubject(entry: unknown): CompiledSubject | undefined {
  if (!isRecord(entry)) return undefined;
  const { kind } = entry;
  const [name, namespace] = [readText(entry['name']), readText(entry['namespace'])];
  if (name === undefined) return undefined;
  switch (kind) {
    case 'User':
    case 'Group':
      return entry['namespace'] === undefined
        ? { subject: { kind, name }, by: kind, name }
        : undefined;
    case 'ServiceAccount':
      // With a colon in it, it could be taken for another one.
      return namespace === undefined || `${namespace}${name}`.includes(':')
        ? undefined
        : {
            subject: { kind, name, namespace },
            by: 'User',
            name: serviceAccountUsername(namespace, name),
          };
    default:
      return undefined;
  }
}
