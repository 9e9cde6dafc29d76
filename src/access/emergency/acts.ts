/** What is recorded, and told as an Event and a notice, of emergency access; the reference page prints it. */
export const EMERGENCY_ACTS = {
  EmergencyRequested: 'Somebody asked for emergency access.',
  EmergencyApproved: 'Somebody approved it.',
  EmergencySelfApproved: 'Its subject approved it alone, with a second reason.',
  EmergencyActivated: 'It is active: the subject may do what it names.',
  EmergencyUsed: 'Something was admitted by it.',
  EmergencyDenied: 'Somebody turned it down, or it asks for more than is allowed.',
  EmergencyExpired: 'Its time is over, or nobody approved it in time.',
  EmergencyRevoked: 'It was ended early.',
  EmergencyReviewDue: 'It has ended, and its review must be closed; an Event and a notice only.',
  EmergencyReviewed: 'Its review is closed.',
  EmergencyGranted:
    'A ServiceAccount, Role or RoleBinding was made or put right for it; records only.',
  EmergencyWithdrawn: 'A ServiceAccount, Role or RoleBinding of it was deleted; records only.',
  RotationDue: 'A credential that was reachable by it is marked for rotation; records only.',
  RotationDone:
    'A credential so marked has a newer version, and the mark is taken off; records only.',
} as const;
export type EmergencyAct = keyof typeof EMERGENCY_ACTS;
