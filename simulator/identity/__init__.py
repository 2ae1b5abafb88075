"""Sign-in: a small OpenID provider that speaks as Microsoft Entra ID does."""
