import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from '../../kube/generated/types.ts';

const PROTECTED = /(^|\.)(k8s|kubernetes)\.io$/;
const SEE = 'see https://github.com/kubernetes/enhancements/pull/1111';

/** Names who approved a definition in one of the community's own groups. */
export const APPROVAL_ANNOTATION = 'api-approved.kubernetes.io';

const missing = `protected groups must have approval annotation "${APPROVAL_ANNOTATION}", ${SEE}`;
const wrong = `protected groups must have approval annotation "${APPROVAL_ANNOTATION}" with either a URL or a reason starting with "unapproved", ${SEE}`;

/** The condition KubernetesAPIApprovalPolicyConformant; undefined for groups that are not protected. */
export function approvalOf({
  metadata,
  spec,
}: CustomResourceDefinition): CustomResourceDefinitionCondition | undefined {
  if (!PROTECTED.test(spec.group)) return undefined;
  const value = metadata?.annotations?.[APPROVAL_ANNOTATION] ?? '';
  const condition = (status: string, reason: string, message: string) => ({
    type: 'KubernetesAPIApprovalPolicyConformant',
    status,
    reason,
    message,
  });
  if (value === '') return condition('False', 'MissingAnnotation', missing);
  if (value.startsWith('unapproved'))
    return condition('False', 'UnapprovedAnnotation', `not approved: ${JSON.stringify(value)}`);
  if (URL.canParse(value) && new URL(value).host !== '')
    return condition('True', 'ApprovedAnnotation', `approved in ${value}`);
  return condition('False', 'InvalidAnnotation', wrong);
}
