/** Clusters of so many nodes are small: what spares work in large ones costs them time or memory. */
export const FEW_NODES = 4;
