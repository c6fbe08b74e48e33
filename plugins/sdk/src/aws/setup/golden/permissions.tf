resource "aws_iam_role_policy" "gateway_reader" {
  name = "GatewayReads"
  role = aws_iam_role.gateway_reader.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ListBucket"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::films"
        Condition = {
          StringLike = {
            "s3:prefix" = "train/*"
          }
        }
      },
      {
        Sid      = "GetObjects"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::films/train/*"
      },
    ]
  })
}
