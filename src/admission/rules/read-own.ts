/**
 * Objects of our kinds as they come in a review. What is new was checked against the schema by the
 * API server; what is stored may be older than the schema.
 */
import type { AccessPolicy } from '#api/access-policy.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { IPBlock } from '#api/ip-block.ts';
import { ENVIRONMENTS } from '#api/roles.ts';
import type { KubeObject } from '#kube/objects.ts';

export type Credential = ExchangeCredential & KubeObject;
export type Policy = AccessPolicy & KubeObject;
export type Block = IPBlock & KubeObject;
export type Emergency = EmergencyAccess & KubeObject;

/** Undefined where it has no spec, or no environment that is known: nothing can be asked about it. */
export function readCredential(object: KubeObject | undefined): Credential | undefined {
  const spec = specOf(object);
  const { environment, source, delivery } = spec ?? {};
  const isKnown = ENVIRONMENTS.some((one) => one === environment);
  if (!isKnown || !isOptionalRecord(source) || !isOptionalRecord(delivery)) return undefined;
  if (!isOptionalRecord(source?.['secretRef']) || !isOptionalRecord(delivery?.['secret'])) {
    return undefined;
  }
  const filled = { ...spec, source: source ?? {}, delivery: delivery ?? {} };
  return { ...object, spec: filled } as unknown as Credential;
}

/** Undefined where it has no spec; compiling takes everything else. */
export function readPolicy(object: KubeObject | undefined): Policy | undefined {
  return specOf(object) === undefined ? undefined : (object as unknown as Policy);
}

export function readBlock(object: KubeObject | undefined): Block | undefined {
  const spec = specOf(object);
  if (spec === undefined || !isOptionalRecord(spec['scope'])) return undefined;
  const namespaces = spec['scope']?.['namespaces'];
  if (namespaces !== undefined && !isTexts(namespaces)) return undefined;
  return object as unknown as Block;
}

/** Undefined where it does not say whom it lets in, to what, and why. */
export function readEmergency(object: KubeObject | undefined): Emergency | undefined {
  const { subject, target, permissions, reason, duration } = specOf(object) ?? {};
  if (!isRecord(subject) || !isRecord(target) || typeof reason !== 'string') return undefined;
  if (typeof subject['name'] !== 'string' || subject['name'] === '') return undefined;
  if (subject['kind'] !== 'User' && subject['kind'] !== 'ServiceAccount') return undefined;
  if (!isTexts(permissions)) return undefined;
  if (duration !== undefined && typeof duration !== 'string') return undefined;
  for (const list of [target['credentials'], target['pods']]) {
    if (list !== undefined && !isTexts(list)) return undefined;
  }
  return object as unknown as Emergency;
}

function specOf(object: KubeObject | undefined): Readonly<Record<string, unknown>> | undefined {
  const spec = object !== undefined && 'spec' in object ? object.spec : undefined;
  return isRecord(spec) ? spec : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOptionalRecord(value: unknown): value is Readonly<Record<string, unknown>> | undefined {
  return value === undefined || isRecord(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
