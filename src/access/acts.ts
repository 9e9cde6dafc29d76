/** What is recorded, and told as an Event, of access; the reference page prints it. */
export const ACCESS_ACTS = {
  AccessGranted: 'A Role or RoleBinding was made for a policy; records only.',
  AccessChanged: 'A Role or RoleBinding of a policy was changed to what the policy says.',
  AccessWithdrawn: 'A Role or RoleBinding of a policy was deleted; records only.',
  AccessRestored:
    'A Role or RoleBinding of a policy was changed or deleted by somebody else and put back.',
  Undermined: 'RBAC of others lets somebody round the policy; an Event only.',
} as const;
export type AccessAct = keyof typeof ACCESS_ACTS;
