"""One Quatrix session per account, shared by every task that uses it."""
