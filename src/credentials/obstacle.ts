import { boundExchange } from '#api/exchanges.ts';
import type { Reason } from '#api/names.ts';
import type { View } from './view.ts';

/** Why nothing may be taken, stored or delivered, in words for the condition. */
export interface Obstacle {
  readonly reason: Reason;
  readonly message: string;
}

/**
 * The first reason to take and deliver nothing. Adding to this list can only stop the operator from
 * acting: what it finds delivered stays delivered.
 */
export function findObstacle(view: View): Obstacle | undefined {
  return trustObstacle(view) ?? environmentObstacle(view);
}

/** The first reason not even to end a version: the namespace or the entry is not ours to touch. */
export function trustObstacle(view: View): Obstacle | undefined {
  return namespaceObstacle(view) ?? vaultObstacle(view);
}

export function namespaceObstacle({ namespace }: View): Obstacle | undefined {
  if (namespace === undefined || namespace.terminating) {
    return {
      reason: 'NamespaceTerminating',
      message: 'The namespace is on its way out; nothing new is delivered.',
    };
  }
  if (!namespace.guarded) {
    return {
      reason: 'NamespaceNotGuarded',
      message:
        'The namespace does not carry the label strongroom.dev/guarded: "true"; set it to have its credentials delivered.',
    };
  }
  return undefined;
}

function environmentObstacle({ namespace, credential }: View): Obstacle | undefined {
  const { environment } = credential.spec;
  if (namespace?.environment === undefined || namespace.environment === environment) {
    return undefined;
  }
  return {
    reason: 'EnvironmentMismatch',
    message: `spec.environment is ${environment}, the namespace's label strongroom.dev/environment says ${namespace.environment}; create the credential in a namespace of its environment.`,
  };
}

/** What is wrong with the vault entry, be it forged, lost, or somebody else's. */
export function vaultObstacle({ vault, namespace, credential }: View): Obstacle | undefined {
  if (vault.kind === 'fault') return vault;
  if (vault.kind === 'absent') return undefined;
  const { identity, namespaceUid } = vault.entry;
  if (namespace !== undefined && namespaceUid !== namespace.uid) {
    return {
      reason: 'NamespaceReplaced',
      message: `The vault entry was made in a former namespace of this name; to take it over, set the annotation strongroom.dev/adopt: "${namespaceUid}".`,
    };
  }
  const exchange = boundExchange(credential.spec);
  if (identity.exchange !== exchange || identity.type !== credential.spec.type) {
    return {
      reason: 'VaultSwapped',
      message: `The vault holds a ${identity.type} of exchange ${quoted(identity.exchange)} under this name, and this is a ${credential.spec.type} of exchange ${quoted(exchange)}; use another name, or delete the former with deletionPolicy: Delete.`,
    };
  }
  return undefined;
}

function quoted(exchange: string): string {
  return exchange === '' ? '(none)' : `"${exchange}"`;
}
