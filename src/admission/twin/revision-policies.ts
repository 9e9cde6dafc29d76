/**
 * ControllerRevisions, of which the controller of StatefulSets makes pods: one may be a patch of any
 * template, so that it can be of any account. The same as the rule of the webhook.
 */
import type { MatchCondition } from '#kube/objects.ts';
import { GARBAGE_COLLECTOR, KUBE_SYSTEM } from '../exemptions.ts';
import { MAX_RULES } from './compile-access.ts';
import {
  IS_MASTER,
  REQUESTER_KEYS,
  USERNAME,
  all,
  any,
  isUser,
  mayPass,
  text,
} from './expressions.ts';
import { rule, validatingPair } from './policy-object.ts';
import type { TwinSettings, ValidatingPair } from './policy-object.ts';

const NAME = 'strongroom-controller-revisions';

function owners(object: string): string {
  return `${object}.metadata.?ownerReferences.orValue([]).filter(owner, owner.?controller.orValue(false))`;
}

/** It belongs to a workload of Kubernetes, or to nobody, so that a StatefulSet adopts it. */
function canBeUsed(object: string): string {
  return `${owners(object)}.all(owner, owner.apiVersion.startsWith("apps/"))`;
}

function isMadeBy(controller: string, kind: string): string {
  return all(
    isUser(`${KUBE_SYSTEM}${controller}`),
    `${owners('object')}.exists(owner, owner.apiVersion == "apps/v1" && owner.kind == ${text(kind)})`,
  );
}

/** Controllers of others have nothing to do with it. */
const MATCH_CONDITIONS: readonly MatchCondition[] = [
  { name: 'can-be-used', expression: canBeUsed('object') },
  {
    name: 'could-not-be-used',
    expression: `!(request.operation == "UPDATE" && ${canBeUsed('oldObject')})`,
  },
  {
    name: 'not-of-its-controller',
    expression: `!(${any(
      isMadeBy('statefulset-controller', 'StatefulSet'),
      isMadeBy('daemon-set-controller', 'DaemonSet'),
      all('request.operation == "UPDATE"', isUser(GARBAGE_COLLECTOR)),
    )})`,
  },
];

export function revisionPolicy(settings: TwinSettings): ValidatingPair {
  return validatingPair(
    {
      name: NAME,
      rules: [rule('apps', ['controllerrevisions'])],
      withoutAccess: 'Deny',
      matchConditions: MATCH_CONDITIONS,
      variables: {
        requesterKeys: REQUESTER_KEYS,
        rules: 'params.spec.?accountRules.orValue([])',
      },
      validations: [
        {
          expression: any(
            IS_MASTER,
            'params.spec.?incomplete.orValue(false)',
            all(
              // Beyond it is too much for CEL, and nobody writes revisions by hand there.
              `variables.rules.size() <= ${MAX_RULES}`,
              `variables.rules.all(one, ${mayPass('variables.requesterKeys', 'one.subjects')})`,
            ),
          ),
          messageExpression: `"of ControllerRevision " + request.namespace + "/" + object.metadata.?name.orValue("") + " pods can be made under any ServiceAccount; " + ${USERNAME} + " needs all that any of them may do by AccessPolicies; Kubernetes writes it by itself when the StatefulSet is changed"`,
          message:
            'Of a ControllerRevision pods can be made under any ServiceAccount: whoever writes one needs all that any of them may do by AccessPolicies.',
        },
      ],
    },
    settings,
  );
}
