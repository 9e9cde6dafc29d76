/** What the suites about our custom resources and their rules share. */
import fc from 'fast-check';
import { KubeError } from '../../src/kube/errors.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import type { Resource } from '../../src/kube/resource.ts';

interface Definition extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
  };
}

/** The definitions themselves. */
export const DEFINITIONS: Resource<Definition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** `spec.roles[1]` and the server's `spec.labels[desk]` alike, with dots. */
export function withDots(field: string): string {
  return field.replaceAll(/\[([^\]]+)\]/g, '.$1');
}

/** What a refusal names, each with its field. */
export function causesOf(
  error: KubeError,
): readonly { readonly field?: string; readonly message?: string }[] {
  return error.causes.map(({ field, message }) => ({
    field: withDots(field ?? ''),
    message: message ?? '',
  }));
}

/** Mostly the first, which is good where the others may be wrong. */
export function mostly<T, U>(good: T, ...others: readonly U[]): fc.Arbitrary<T | U> {
  return fc.oneof(
    { arbitrary: fc.constant(good), weight: 24 },
    ...others.map((o) => fc.constant(o)),
  );
}

/** The error of a call that the API server refuses. */
export async function refusal(call: Promise<unknown>): Promise<KubeError> {
  const error = await call.then(
    () => new Error('the API server took it'),
    (reason: unknown) => reason,
  );
  if (error instanceof KubeError) return error;
  throw error;
}

/** What a command printed that fails. */
export async function failure(call: Promise<string>): Promise<{ readonly stderr: string }> {
  return call.then(
    (stdout) => Promise.reject(new Error(`kubectl succeeded: ${stdout}`)),
    (reason: unknown) => reason as { readonly stderr: string },
  );
}
