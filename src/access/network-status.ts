/** What became of the `network` of policies, told by whoever carries it out. */
import type { NetworkGap } from '#api/ip-block.ts';

/** Something that is not enforced as it is written. */
export interface PolicyNetworkGap extends NetworkGap {
  /** Worth knowing, and nothing that could be mended. */
  readonly isInformation?: boolean;
}

export interface PolicyNetwork {
  /** Pods that run under its ServiceAccounts and are selected. */
  readonly pods: number;
  /** NetworkPolicies that stand for it. */
  readonly policies: number;
  /** Whether all of it has been written. */
  readonly isApplied: boolean;
  readonly gaps: readonly PolicyNetworkGap[];
}

export interface NetworkStatusBoard {
  /** Undefined for a policy that nobody has looked at (yet). */
  of(policy: string): PolicyNetwork | undefined;
  /** Undefined: nothing is told of it any more. */
  tell(policy: string, network: PolicyNetwork | undefined): void;
  onChange(handler: (policy: string) => void): void;
}

export function createNetworkStatusBoard(): NetworkStatusBoard {
  const told = new Map<string, { readonly network: PolicyNetwork; readonly text: string }>();
  const handlers: ((policy: string) => void)[] = [];
  return {
    of: (policy) => told.get(policy)?.network,
    tell(policy, network) {
      const text = network === undefined ? undefined : JSON.stringify(network);
      if (told.get(policy)?.text === text) return;
      if (network === undefined || text === undefined) told.delete(policy);
      else told.set(policy, { network, text });
      for (const handler of handlers) handler(policy);
    },
    onChange: (handler) => void handlers.push(handler),
  };
}
