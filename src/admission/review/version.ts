/** The one form of reviews that is spoken. */
export const API_VERSION = 'admission.k8s.io/v1';
export const KIND = 'AdmissionReview';
