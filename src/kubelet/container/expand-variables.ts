/**
 * Replaces `$(NAME)` by the variable's value, as Kubernetes does in command, args and env: an unknown name stays as it is
 * written and `$$(NAME)` becomes `$(NAME)`.
 */
export function expandVariables(text: string, variables: Readonly<Record<string, string>>): string {
  if (!text.includes('$')) return text;
  return text.replace(/\$(\$|\(([^()]*)\))/g, (whole, operator: string, name: string) => {
    if (operator === '$') return '$';
    return Object.hasOwn(variables, name) ? (variables[name] ?? '') : whole;
  });
}
