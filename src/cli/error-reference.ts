import type { KubeErrorCode } from '#kube/errors.ts';
import type { KeyProviderErrorCode, SealErrorCode, VaultErrorCode } from '#vault/errors.ts';

/** What each code means and what to do; the type asks for every code that there is. */
export const ERROR_REFERENCE: Readonly<
  Record<KubeErrorCode | KeyProviderErrorCode | SealErrorCode | VaultErrorCode, string>
> = {
  ERR_KUBE_NOT_FOUND: 'The object does not exist.',
  ERR_KUBE_ALREADY_EXISTS: 'An object of that name exists.',
  ERR_KUBE_CONFLICT: 'The object has changed since it was read, or a field has another owner.',
  ERR_KUBE_GONE: 'The resourceVersion is too old; the list is made anew.',
  ERR_KUBE_FORBIDDEN: 'RBAC or admission refuses; `kubectl auth can-i` tells what is missing.',
  ERR_KUBE_UNAUTHORIZED: 'The login is not accepted; log in again, or look at the token.',
  ERR_KUBE_INVALID: 'The API server refuses the object; the message names the field.',
  ERR_KUBE_TOO_MANY_REQUESTS: 'The API server asks to wait; this is done by itself.',
  ERR_KUBE_NAMESPACE_TERMINATING: 'The namespace is being deleted.',
  ERR_KUBE_UNAVAILABLE: 'The API server cannot answer now; tried again by itself.',
  ERR_KUBE_TIMEOUT: 'No answer in time; tried again by itself.',
  ERR_KUBE_NETWORK:
    'No connection to the API server; look at address, network policy and firewall.',
  ERR_KUBE_ABORTED: 'Given up because the process stops or the lease is lost.',
  ERR_KUBE_PROTOCOL: 'The answer is not what the Kubernetes API answers; is there a proxy between?',
  ERR_KUBE_CONFIG: 'The kubeconfig or the pod’s ServiceAccount files cannot be used as they are.',
  ERR_SEAL_EMPTY: 'There is nothing to seal.',
  ERR_SEAL_TOO_LARGE: 'The value or ciphertext is larger than is taken.',
  ERR_SEAL_MALFORMED: 'The text is no sealed value; seal it again with `strongroom seal`.',
  ERR_SEAL_WRONG_TARGET:
    'The ciphertext was made for another namespace, name, field or exchange; seal the value for this one.',
  ERR_SEAL_UNKNOWN_KEY: 'It was sealed with the key of another installation; seal it again.',
  ERR_SEAL_RETIRED_KEY: 'Its seal key is retired; seal it again, or lengthen `sealKeys.acceptFor`.',
  ERR_SEAL_CORRUPTED: 'The ciphertext was changed or cut off; seal it again.',
  ERR_SEAL_KEYS: 'The public or stored seal keys cannot be used, or there is none yet.',
  ERR_VAULT_TAMPERED: 'An entry does not authenticate; restore it from a backup of this cluster.',
  ERR_VAULT_SWAPPED: 'The entry is that of another credential; restore both.',
  ERR_VAULT_ROLLED_BACK: 'The entry is an older copy of itself; restore the newest one.',
  ERR_VAULT_TOO_LARGE: 'The entry would outgrow a Secret; keep fewer versions (`spec.history`).',
  ERR_VAULT_UNKNOWN_VERSION: 'That version is not kept.',
  ERR_VAULT_ILLEGAL_TRANSITION: 'A version cannot go from its state to that one.',
  ERR_VAULT_KEYS_MISSING:
    'Entries exist but not the Secret `strongroom-vault-keys`; restore it, it cannot be made anew.',
  ERR_KEY_UNKNOWN: 'What is to be opened is under a key-encryption key that is not here.',
  ERR_KEY_CORRUPTED: 'A wrapped key does not authenticate.',
  ERR_KEY_PASSPHRASE: 'The passphrase is wrong or too short.',
  ERR_KEY_STORE: 'The stored key-encryption key or its parameters cannot be used.',
};
