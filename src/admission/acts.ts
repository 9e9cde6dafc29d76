/** What is recorded of admission; the reference page prints it. */
export const ADMISSION_ACTS = {
  AdmissionAllowed:
    'A request to the API server was let through; the record is written before the answer. Records only.',
  AdmissionRefused:
    'A request to the API server was refused, with the reason in the details. Records only.',
  AdmissionCertificatesWritten:
    'The certificates of the admission webhook, or the key of stamps, were made or renewed; records only.',
} as const;
export type AdmissionAct = keyof typeof ADMISSION_ACTS;
