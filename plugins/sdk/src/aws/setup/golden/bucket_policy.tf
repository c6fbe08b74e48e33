# Takes the place of the policy that the bucket has. If it has one, add these statements to it.
resource "aws_s3_bucket_policy" "gateway_films" {
  bucket = "films"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ListBucket"
        Effect = "Allow"
        Principal = {
          AWS = "arn:aws:iam::111122223333:role/gateway"
        }
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::films"
        Condition = {
          StringEquals = {
            "aws:PrincipalTag/organization" = "studio"
          }
        }
      },
      {
        Sid    = "GetObjects"
        Effect = "Allow"
        Principal = {
          AWS = "arn:aws:iam::111122223333:role/gateway"
        }
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::films/*"
        Condition = {
          StringEquals = {
            "aws:PrincipalTag/organization" = "studio"
          }
        }
      },
    ]
  })
}
