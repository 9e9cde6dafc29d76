/**
 * ControllerRevisions, of which the controller of StatefulSets makes pods: one may be a patch of any
 * template, so that it can be of any account. The same as the rule of the webhook.
 */
import type { MatchCondition } from '#kube/objects.ts';
import { GARBAGE_COLLECTOR, KUBE_SYSTEM, MAKERS } from '../exemptions.ts';
import { REVISION_WRITERS } from '../rules/controller-revisions.ts';
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

/** Those that control it: one, or none. */
function owners(object: string): string {
  return `${object}.metadata.?ownerReferences.orValue([]).filter(owner, owner.?controller.orValue(false))`;
}

/** Who lets go of one has owned it before. */
const OWNERS = `(request.operation == "UPDATE" && ${owners('object')}.size() == 0 ? ${owners('oldObject')} : ${owners('object')})`;

function isMadeBy(controller: string): string {
  const { apiVersion = '', kind = '' } = MAKERS.get(controller) ?? {};
  return all(
    isUser(`${KUBE_SYSTEM}${controller}`),
    `${OWNERS}.exists(owner, owner.apiVersion == ${text(apiVersion)} && owner.kind == ${text(kind)})`,
  );
}

/** Of what kind its owner is said to be makes no difference: the controller goes by the uid alone. */
const MATCH_CONDITIONS: readonly MatchCondition[] = [
  {
    name: 'new-or-of-another-owner',
    expression: any(
      'request.operation == "CREATE"',
      `${owners('object')}.map(owner, owner.uid) != ${owners('oldObject')}.map(owner, owner.uid)`,
    ),
  },
  {
    name: 'not-of-its-controller',
    expression: `!(${any(
      ...REVISION_WRITERS.map(isMadeBy),
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
