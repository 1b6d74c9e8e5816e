"""One Quatrix session per connection, shared by every task that uses it."""
