resource "aws_iam_role" "gateway_reader" {
  name = "reader"
  path = "/media/"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "AssumeWithExternalId"
        Effect = "Allow"
        Principal = {
          AWS = "arn:aws:iam::111122223333:role/gateway"
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "sts:ExternalId" = "pc-0123456789"
          }
        }
      },
    ]
  })
}
