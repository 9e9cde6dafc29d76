/** What is recorded, and told as an Event, of the network; the reference page prints it. */
export const NETWORK_ACTS = {
  NetworkPolicyWritten: 'A NetworkPolicy was made or changed for AccessPolicies or IPBlocks.',
  NetworkPolicyWithdrawn: 'A NetworkPolicy that nothing needs any more was deleted.',
  NetworkPolicyRestored:
    'A NetworkPolicy of the operator was changed or deleted by somebody else and put back.',
  NetworkObjectWritten:
    'An object of a stronger backend, or the blocks for the node agents, was made or changed.',
  NetworkObjectWithdrawn: 'Such an object was deleted.',
  BlockEnforced: 'An IPBlock took effect; an Event only.',
  BlockWeakened:
    'An IPBlock is not enforced any more as it was, with what is at fault; an Event only.',
  BlockExpired: 'The time of an IPBlock is over; an Event only.',
  FeedUpdated: 'A feed was fetched and holds other addresses than before; records only.',
  FeedFailed: 'A feed could not be fetched or read; an Event only.',
} as const;
export type NetworkAct = keyof typeof NETWORK_ACTS;
